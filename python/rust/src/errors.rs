//! Turns what went wrong in the engine into the package's exceptions.

use std::fmt::Display;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// Returns a `PartitaError` that says `error`.
pub(crate) fn partita_error(py: Python<'_>, error: impl Display) -> PyErr {
    raise(py, "PartitaError", &error.to_string())
}

/// Returns a `PipelineError` that says `error`.
pub(crate) fn pipeline_error(py: Python<'_>, error: impl Display) -> PyErr {
    raise(py, "PipelineError", &error.to_string())
}

fn raise(py: Python<'_>, class: &str, message: &str) -> PyErr {
    let made =
        py.import("partita.errors").and_then(|module| module.getattr(class)?.call1((message,)));
    match made {
        Ok(error) => PyErr::from_value(error),
        Err(_) => PyRuntimeError::new_err(message.to_owned()),
    }
}
