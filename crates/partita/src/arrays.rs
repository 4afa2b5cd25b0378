//! Arrays of `ndarray`, stored as npy files.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::Path;

use ndarray::{Array, Dimension};
use ndarray_npy::{ReadNpyExt, ReadableElement, WritableElement, WriteNpyExt};

use crate::Result;
use crate::materializer::Materializer;

const FILE: &str = "data.npy";

/// As numpy's arrays are stored in Python. The element type and the number of dimensions have to be
/// those that the step takes; `IxDyn` takes any number.
impl<A, D> Materializer for Array<A, D>
where
    A: ReadableElement + WritableElement + 'static,
    D: Dimension + 'static,
{
    const FORMAT: &'static str = "npy";
    const TYPE: &'static str = "numpy.ndarray";

    fn save(&self, folder: &Path) -> Result<()> {
        let mut file = BufWriter::new(File::create(folder.join(FILE))?);
        self.write_npy(&mut file)?;
        Ok(file.flush()?)
    }

    fn load(folder: &Path) -> Result<Self> {
        Ok(Self::read_npy(BufReader::new(File::open(folder.join(FILE))?))?)
    }
}
