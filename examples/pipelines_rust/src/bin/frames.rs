//! Passes data frames of polars through steps, for pipelines in Rust and in Python.
//!
//! Run it with `cargo run --features polars --bin frames -- run`; `describe` says what it takes.

use partita::Stored;
use partita::prelude::*;
use polars_core::df;
use polars_core::frame::DataFrame;

#[step]
fn make(count: u32) -> Result<Stored<DataFrame>> {
    let names: Vec<String> = (0..count).map(|row| format!("é{row}")).collect();
    let sizes: Vec<Option<f64>> =
        (0..count).map(|row| (row % 2 == 0).then(|| f64::from(row))).collect();
    Ok(Stored(df!("name" => names, "size" => sizes)?))
}

#[step]
fn pass_frame(frame: Stored<DataFrame>) -> Stored<DataFrame> {
    frame
}

/// Returns how many rows and columns a frame has.
#[step]
fn measure(frame: Stored<DataFrame>) -> (usize, usize) {
    frame.shape()
}

#[pipeline]
fn frames(#[default(3)] count: u32) {
    measure(pass_frame(make(count)));
}

fn main() -> ExitCode {
    partita::main![frames]
}
