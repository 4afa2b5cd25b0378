//! Inputs are left out.

use partita::prelude::*;

#[step]
fn load() -> Vec<f64> {
    vec![]
}

#[step]
fn report(text: String, precision: u8) {
    println!("{text} {precision}");
}

#[step]
fn compare(
    first: &[f64],
    second: &[f64],
    tolerance: f64,
    label: Option<String>,
) -> f64 {
    let _ = (first, second, label);
    tolerance
}

#[pipeline]
fn wrong() {
    report("done");
    compare(load(), 0.5, None);
    compare::map(vec![load()], load());
}

fn main() -> ExitCode {
    partita::main![wrong]
}
