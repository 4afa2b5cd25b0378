//! Passes a value of every type that languages share through a step.
//!
//! Run it with `cargo run --bin values -- run --param text=a …`; `describe` says what it takes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ndarray::Array2;
use partita::prelude::*;
use partita::{Bytes, Stored};

/// One of each.
#[derive(Outputs)]
struct Values {
    text: String,
    whole: i128,
    number: f64,
    yes: bool,
    nothing: Option<u8>,
    list: Vec<f64>,
    tuple: (i64, String),
    mapping: BTreeMap<i64, Vec<bool>>,
    names: BTreeMap<String, f64>,
    bytes: Vec<u8>,
}

#[step]
fn pass(
    text: String,
    whole: i128,
    number: f64,
    yes: bool,
    nothing: Option<u8>,
    list: Vec<f64>,
    tuple: (i64, String),
    mapping: BTreeMap<i64, Vec<bool>>,
    names: BTreeMap<String, f64>,
    bytes: Vec<u8>,
) -> Values {
    Values { text, whole, number, yes, nothing, list, tuple, mapping, names, bytes }
}

#[step]
fn repeat(list: &[f64], times: usize) -> Vec<f64> {
    list.repeat(times)
}

/// For pipelines in Python: an array, bytes and a folder come back as they were, or doubled.
#[step]
fn double(array: Stored<Array2<f64>>) -> Stored<Array2<f64>> {
    Stored(&*array * 2.0)
}

#[step]
fn twice(bytes: Bytes) -> Bytes {
    Bytes(bytes.0.repeat(2))
}

#[step]
fn same(folder: PathBuf) -> PathBuf {
    folder
}

#[pipeline]
#[allow(clippy::too_many_arguments)]
fn values(
    text: String,
    whole: i128,
    number: f64,
    yes: bool,
    nothing: Option<u8>,
    list: Vec<f64>,
    tuple: (i64, String),
    mapping: BTreeMap<i64, Vec<bool>>,
    names: BTreeMap<String, f64>,
    bytes: Vec<u8>,
) {
    let one = pass(text, whole, number, yes, nothing, list, tuple, mapping, names, bytes);
    repeat(&one.list, 5_000_usize);
}

fn main() -> ExitCode {
    partita::main![values; double, twice, same]
}
