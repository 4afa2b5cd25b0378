//! Takes the values of secrets out of what a step of Python prints and raises.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use partita_engine::secrets::{Redaction, Secrets};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The redactor of one call: of texts that are whole, and of streams that come bit by bit.
#[pyclass(frozen, module = "partita._native")]
pub(crate) struct Redactor {
    secrets: Arc<Secrets>,
    streams: Mutex<BTreeMap<String, Redaction>>,
}

impl Redactor {
    pub(crate) fn of(secrets: Arc<Secrets>) -> Self {
        Self { secrets, streams: Mutex::default() }
    }
}

#[pymethods]
impl Redactor {
    /// Returns a text without values.
    fn text(&self, text: &str) -> String {
        self.secrets.redacted(text).into_owned()
    }

    /// Takes more of a stream; returns what may be written now, the rest waits.
    fn take<'py>(&self, py: Python<'py>, stream: &str, data: &[u8]) -> Bound<'py, PyBytes> {
        let Some(redactor) = self.secrets.redactor() else { return PyBytes::new(py, data) };
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let redaction = streams.entry(stream.to_owned()).or_default();
        PyBytes::new(py, &redaction.take(redactor, data))
    }

    /// Ends the streams; returns what has waited of each, by its name.
    fn finish<'py>(&self, py: Python<'py>) -> Vec<(String, Bound<'py, PyBytes>)> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(redactor) = self.secrets.redactor() else { return Vec::new() };
        let ended = std::mem::take(&mut *streams).into_iter();
        ended.map(|(stream, mut rest)| (stream, PyBytes::new(py, &rest.finish(redactor)))).collect()
    }
}
