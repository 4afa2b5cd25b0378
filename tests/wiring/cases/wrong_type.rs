//! An input is given an output of another type.

use partita::prelude::*;

#[step]
fn load() -> Vec<f64> {
    vec![]
}

#[step]
fn report(text: String, precision: u8) {
    println!("{text} {precision}");
}

#[pipeline]
fn wrong() {
    report(&load(), 2);
}

fn main() -> ExitCode {
    partita::main![wrong]
}
