//! A type that serde does not write is an output, and a parameter.

use partita::prelude::*;

struct Model;

#[step]
fn train() -> Model {
    Model
}

#[pipeline]
fn wrong(model: Model) {
    let _ = model;
}

fn main() -> ExitCode {
    partita::main![wrong]
}
