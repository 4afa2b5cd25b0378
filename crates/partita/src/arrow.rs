//! Tables and record batches of Arrow, stored as IPC files, as pyarrow's are in Python.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_ipc::reader::FileReader;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{Schema, SchemaRef};
use arrow_select::concat::concat_batches;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::Result;
use crate::materializer::Materializer;

const FILE: &str = "data.arrow";
const PARQUET_FILE: &str = "data.parquet";

const TABLE: &str = "arrow/table";
const RECORD_BATCH: &str = "arrow/record-batch";
/// What both are loaded from: also the data frames of Python, which are Parquet files.
const READS: &[&str] = &[TABLE, RECORD_BATCH, "parquet/pandas", "parquet/polars"];

/// A table of Arrow: batches of rows that have one schema, as a `pyarrow.Table` in Python.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What each batch has as its schema; a table without rows has it as well.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
}

impl Table {
    /// Returns the number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Returns all rows in one batch.
    ///
    /// # Errors
    /// If a batch has another schema than the table.
    pub fn concatenated(&self) -> Result<RecordBatch> {
        match &self.batches[..] {
            [only] if only.schema() == self.schema => Ok(only.clone()),
            batches => Ok(concat_batches(&self.schema, batches)?),
        }
    }
}

impl From<RecordBatch> for Table {
    fn from(batch: RecordBatch) -> Self {
        Self { schema: batch.schema(), batches: vec![batch] }
    }
}

impl Materializer for Table {
    const FORMAT: &'static str = TABLE;
    const READS: &'static [&'static str] = READS;
    const TYPE: &'static str = "pyarrow.lib.Table";

    fn save(&self, folder: &Path) -> Result<()> {
        write(folder, &self.schema, &self.batches)
    }

    fn load(folder: &Path) -> Result<Self> {
        match folder.join(PARQUET_FILE) {
            frame if frame.is_file() => read_parquet(&frame),
            _ => read(&folder.join(FILE)),
        }
    }
}

impl Materializer for RecordBatch {
    const FORMAT: &'static str = RECORD_BATCH;
    const READS: &'static [&'static str] = READS;
    const TYPE: &'static str = "pyarrow.lib.RecordBatch";

    fn save(&self, folder: &Path) -> Result<()> {
        write(folder, &self.schema(), std::slice::from_ref(self))
    }

    fn load(folder: &Path) -> Result<Self> {
        Table::load(folder)?.concatenated()
    }
}

fn write(folder: &Path, schema: &Schema, batches: &[RecordBatch]) -> Result<()> {
    let mut writer = FileWriter::try_new_buffered(File::create(folder.join(FILE))?, schema)?;
    for batch in batches {
        if *batch.schema() != *schema {
            return Err("a batch of the table has another schema than the table".into());
        }
        writer.write(batch)?;
    }
    Ok(writer.into_inner()?.flush()?)
}

fn read(file: &Path) -> Result<Table> {
    let reader = FileReader::try_new(BufReader::new(File::open(file)?), None)?;
    let schema = reader.schema();
    Ok(Table { schema, batches: reader.collect::<Result<_, _>>()? })
}

/// Reads all rows of a data frame as one batch.
fn read_parquet(file: &Path) -> Result<Table> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(file)?)?;
    let rows = usize::try_from(builder.metadata().file_metadata().num_rows())?;
    let metadata = builder.schema().metadata().clone();
    let reader = builder.with_batch_size(rows.max(1)).build()?;
    // The reader leaves out the metadata of the schema.
    let schema = Arc::new(Schema::clone(&reader.schema()).with_metadata(metadata));
    let batches = reader.map(|batch| Ok(batch?.with_schema(Arc::clone(&schema))?));
    let batches = batches.collect::<Result<_>>()?;
    Ok(Table { schema, batches })
}
