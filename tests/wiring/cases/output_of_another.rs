//! An output has the name of an earlier one, which is meant afterwards.

use partita::prelude::*;

#[step]
fn load() -> Vec<f64> {
    vec![]
}

#[step]
fn count(numbers: &[f64]) -> usize {
    numbers.len()
}

#[pipeline]
fn wrong() {
    let numbers = load();
    let numbers = count(numbers);
    count(&numbers);
}

fn main() -> ExitCode {
    partita::main![wrong]
}
