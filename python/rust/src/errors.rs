//! Turns what went wrong in the engine into the package's exceptions.

use std::fmt::Display;

use partita_cli::pipeline;
use partita_cli::session::SessionError;
use partita_core::status::UnknownStatus;
use partita_engine::code::CodeError;
use partita_engine::home::HomeError;
use partita_engine::metadata::MetadataError;
use partita_engine::runs::RunError;
use partita_engine::secrets::SecretError;
use partita_engine::step_runner::{EntryError, InputError};
use partita_engine::store::StoreError;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// What went wrong, in one paragraph.
pub(crate) trait Trouble: Display {
    /// Returns whether a backend is out of reach; the rest is for its caller to mend.
    fn is_unreachable(&self) -> bool {
        false
    }
}

macro_rules! may_be_unreachable {
    ($($error:ty),*) => { $(
        impl Trouble for $error {
            fn is_unreachable(&self) -> bool {
                <$error>::is_unreachable(self)
            }
        }
    )* };
}

may_be_unreachable!(pipeline::Error, StoreError, MetadataError, HomeError, SessionError, RunError);

impl Trouble for InputError {
    fn is_unreachable(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_unreachable())
    }
}

impl Trouble for EntryError {}
impl Trouble for CodeError {}

impl Trouble for SecretError {
    fn is_unreachable(&self) -> bool {
        matches!(self, Self::Metadata(error) if error.is_unreachable())
    }
}

impl Trouble for UnknownStatus {}
impl Trouble for String {}
impl Trouble for &str {}
impl Trouble for std::io::Error {}
impl Trouble for serde_json::Error {}

/// Returns a `PartitaError` that says `error`.
pub(crate) fn partita_error(py: Python<'_>, error: impl Trouble) -> PyErr {
    let class = if error.is_unreachable() { "UnreachableError" } else { "PartitaError" };
    raise(py, class, &error.to_string())
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
