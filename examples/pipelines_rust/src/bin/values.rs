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

/// Whatever is large is stored in a binary format.
#[step(format = "binary")]
fn pass_large(
    list: Vec<f64>,
    counts: Vec<u32>,
    tuple: (i64, String),
    mapping: BTreeMap<i64, Vec<bool>>,
    texts: Vec<String>,
    rows: Vec<Vec<f64>>,
    bytes: Bytes,
) -> Large {
    Large { list, counts, tuple, mapping, texts, rows, bytes }
}

#[derive(Outputs)]
struct Large {
    list: Vec<f64>,
    counts: Vec<u32>,
    tuple: (i64, String),
    mapping: BTreeMap<i64, Vec<bool>>,
    texts: Vec<String>,
    rows: Vec<Vec<f64>>,
    bytes: Bytes,
}

/// Takes what is stored in any format.
#[step]
fn measure(list: &[f64], texts: Vec<String>, rows: &[Vec<f64>]) -> (f64, usize, f64) {
    let letters = texts.iter().map(String::len).sum();
    (list.iter().sum(), letters, rows.iter().flatten().sum())
}

#[step(format = "binary")]
fn copies(text: &str, times: usize) -> Vec<String> {
    vec![text.repeat(times); 3]
}

#[step]
fn letters(text: &str) -> usize {
    text.len()
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
    partita::main![values; pass, double, twice, same, pass_large, measure, copies, letters]
}
