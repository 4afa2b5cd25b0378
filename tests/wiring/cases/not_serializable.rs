//! A type that serde does not write is an output, an input, and a parameter, also one with a default.

use partita::prelude::*;

struct Model;

#[step]
fn train() -> Model {
    Model
}

#[step]
fn evaluate(model: Model) -> f64 {
    let _ = model;
    1.0
}

#[pipeline]
fn wrong(depth: u32, model: Model) {
    let _ = (depth, model);
}

#[pipeline]
fn another(#[default(Model)] model: Model) {
    let _ = model;
}

fn main() -> ExitCode {
    partita::main![wrong, another]
}
