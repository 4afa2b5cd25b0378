//! Stores values that a pipeline passes to a step as artifacts of their own.

use std::path::PathBuf;
use std::sync::Mutex;

use partita_cli::session::Session;
use partita_engine::step_runner;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::partita_error;

/// A folder that becomes an artifact version which no step made.
#[pyclass(frozen, module = "partita._native")]
pub(crate) struct Staging {
    artifact: String,
    /// The folder to write files to.
    #[pyo3(get)]
    folder: String,
    staging: Mutex<Option<partita_engine::store::Staging>>,
    store: std::sync::Arc<dyn partita_engine::store::ArtifactStore>,
}

#[pymethods]
impl Staging {
    #[new]
    #[pyo3(signature = (artifact, source_root, stack))]
    fn new(
        py: Python<'_>,
        artifact: String,
        source_root: PathBuf,
        stack: Option<&str>,
    ) -> PyResult<Self> {
        let session = Session::open(&source_root).map_err(|error| partita_error(py, error))?;
        let stack = session.stack(stack).map_err(|error| partita_error(py, error))?;
        let store = session.artifact_store(&stack).map_err(|error| partita_error(py, error))?;
        let staging = store.staging("artifacts/new").map_err(|error| partita_error(py, error))?;
        let folder = staging.folder().display().to_string();
        Ok(Self { artifact, folder, staging: Mutex::new(Some(staging)), store })
    }

    /// Makes the files an artifact version and returns its document.
    fn publish<'py>(
        &self,
        py: Python<'py>,
        type_name: String,
        format: String,
        metadata: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let metadata =
            serde_json::from_slice(metadata).map_err(|error| partita_error(py, error))?;
        let staging = self.staging.lock().ok().and_then(|mut staging| staging.take());
        let staging = staging
            .ok_or_else(|| partita_error(py, "the artifact version is published already"))?;
        let version = step_runner::publish_literal(
            &*self.store,
            &self.artifact,
            type_name,
            format,
            metadata,
            staging,
        )
        .map_err(|error| partita_error(py, error))?;
        let document = serde_json::to_vec(&version).map_err(|error| partita_error(py, error))?;
        Ok(PyBytes::new(py, &document))
    }
}
