//! A command is given what it does not take.

use std::path::PathBuf;

use partita::prelude::*;

#[step]
fn load() -> Vec<f64> {
    vec![]
}

#[step(command = ["sort", input.raw, "-o", output])]
fn sort(raw: PathBuf) -> PathBuf;

#[pipeline]
fn wrong() {
    sort(load());
}

fn main() -> ExitCode {
    partita::main![wrong]
}
