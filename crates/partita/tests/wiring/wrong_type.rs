// error[E0277]: the input `text` of the step `report` takes `String`, not `&partita::Output<Vec<f64>>`
// a `String` belongs here, or an `Output<String>`
// give it an output of that type, or change what its step takes

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
