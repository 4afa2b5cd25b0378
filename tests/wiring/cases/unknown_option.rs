//! What the macros do not take.

use partita::prelude::*;

#[step(retry(times = 3))]
fn train() -> f64 {
    1.0
}

#[step]
fn evaluate(#[default(3)] depth: u32) -> u32 {
    depth
}

#[pipeline]
fn wrong() -> f64 {
    1.0
}

fn main() {}
