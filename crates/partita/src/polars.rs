//! Data frames of polars, stored as Parquet files, as those of Python's polars are.

use std::fs::File;
use std::path::Path;

use polars_core::frame::DataFrame;
use polars_io::SerReader;
use polars_io::parquet::read::ParquetReader;
use polars_io::parquet::write::ParquetWriter;

use crate::Result;
use crate::materializer::Materializer;

const FILE: &str = "data.parquet";

impl Materializer for DataFrame {
    const FORMAT: &'static str = "parquet/polars";
    const READS: &'static [&'static str] = &[Self::FORMAT, "parquet/pandas"];
    const TYPE: &'static str = "polars.dataframe.frame.DataFrame";

    fn save(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        // Writing makes one chunk of each column, which those of the clone share until then.
        ParquetWriter::new(File::create(&path)?).finish(&mut self.clone())?;
        let nothing = ParquetReader::new(File::open(&path)?).with_slice(Some((0, 0))).finish()?;
        if nothing.schema() != self.schema() {
            return Err("Parquet would change the types of its columns".into());
        }
        Ok(())
    }

    fn load(folder: &Path) -> Result<Self> {
        Ok(ParquetReader::new(File::open(folder.join(FILE))?).finish()?)
    }
}
