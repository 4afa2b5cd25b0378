//! The native module of steps, and of whatever else in the package needs no engine.

use pyo3::prelude::*;

/// What every step needs; see [`partita_python::native`].
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    partita_python::native(module)
}
