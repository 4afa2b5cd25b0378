//! Commands whose words are no inputs and no outputs of their steps, and one with a body.

use std::path::PathBuf;

use partita::prelude::*;

#[derive(Outputs)]
struct Sorted {
    sorted: PathBuf,
}

#[step(command = ["sort", input.rwa, "-o", output])]
fn input_of_no_name(raw: PathBuf) -> PathBuf;

#[step(command = ["sort", input.raw, "-o", output.sortd])]
fn output_of_no_name(raw: PathBuf) -> Sorted;

#[step(command = [input.raw, "-o", output])]
fn no_executable(raw: PathBuf) -> PathBuf;

#[step(command = ["sort", raw, "-o", output])]
fn no_word(raw: PathBuf) -> PathBuf;

#[step(command = ["sort", input.raw, "-o", output])]
fn body(raw: PathBuf) -> PathBuf {
    raw
}

fn main() {}
