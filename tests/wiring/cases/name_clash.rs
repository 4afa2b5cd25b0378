//! An output has the name of a step, which is meant afterwards.

use partita::prelude::*;

#[step]
fn numbers() -> Vec<f64> {
    vec![]
}

#[step]
fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum()
}

#[pipeline]
fn wrong() {
    let mean = mean(numbers());
    mean(numbers()).after(&mean);
}

fn main() -> ExitCode {
    partita::main![wrong]
}
