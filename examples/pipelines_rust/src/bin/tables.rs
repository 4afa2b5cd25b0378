//! Passes tables through steps, for pipelines in Rust and in Python.
//!
//! Run it with `cargo run --bin tables -- run`; `describe` says what it takes.

use std::sync::Arc;

use arrow_array::{Array, Float64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use partita::prelude::*;
use partita::{Stored, Table};

#[step]
fn make(count: u32) -> Result<Stored<RecordBatch>> {
    let schema = Schema::new(vec![
        Field::new("name", DataType::Utf8, false),
        Field::new("size", DataType::Float64, true),
    ]);
    let names = StringArray::from_iter_values((0..count).map(|row| format!("é{row}")));
    let sizes = (0..count).map(|row| (row % 2 == 0).then(|| f64::from(row)));
    let columns: Vec<Arc<dyn Array>> =
        vec![Arc::new(names), Arc::new(sizes.collect::<Float64Array>())];
    Ok(Stored(RecordBatch::try_new(Arc::new(schema), columns)?))
}

#[step]
fn pass_table(table: Stored<Table>) -> Stored<Table> {
    table
}

#[step]
fn pass_batch(batch: Stored<RecordBatch>) -> Stored<RecordBatch> {
    batch
}

/// Returns how many rows a table has, and in how many batches.
#[step]
fn measure(table: Stored<Table>) -> (usize, usize) {
    (table.rows(), table.batches.len())
}

#[pipeline]
fn tables(#[default(3)] count: u32) {
    let batch = make(count);
    let table = pass_table(whole(&batch));
    measure(table).id("measure_table");
}

/// A record batch is read as a table, but it is another type: a step says so.
#[step]
fn whole(batch: Stored<RecordBatch>) -> Stored<Table> {
    Stored(batch.0.into())
}

fn main() -> ExitCode {
    partita::main![tables; pass_batch, measure]
}
