// error: `times` is no option of `retry`; there are `max`, `delay`, `backoff`
// error: a step has no defaults; take an `Option`, or give the value in the pipeline
// error: a pipeline returns nothing: when it is called, no step has run

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
