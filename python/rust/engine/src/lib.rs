//! The native module of the engine, which steps do not load.

use pyo3::prelude::*;

/// The engine; see [`partita_python::engine`].
#[pymodule]
fn _engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    partita_python::engine(module)
}
