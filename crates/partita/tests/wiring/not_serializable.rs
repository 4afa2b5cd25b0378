// error[E0277]: a step cannot return `Model`
// error[E0277]: `Model` cannot be a parameter of a pipeline
// no command line, file or document can give a value of this type
// derive `serde::Serialize` and `serde::Deserialize` for `Model`, or `Outputs` if each of its fields is an output

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
