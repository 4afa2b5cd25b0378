//! Stores values that a pipeline passes to a step as artifacts of their own.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use partita_cli::session::Session;
use partita_engine::step_runner;
use partita_engine::store::{ArtifactStore, Hold};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::call::digest;
use crate::errors::partita_error;

/// The values of one pipeline that become artifacts of their own. They are not collected until its
/// run has begun, or this is released.
#[pyclass(frozen, module = "partita._engine")]
pub(crate) struct Literals {
    source_root: PathBuf,
    stack: Option<String>,
    held: Mutex<Option<(Arc<dyn ArtifactStore>, Hold)>>,
}

#[pymethods]
impl Literals {
    #[new]
    fn new(source_root: PathBuf, stack: Option<String>) -> Self {
        Self { source_root, stack, held: Mutex::new(None) }
    }

    /// Returns a new folder for the files of one value.
    fn stage(&self, py: Python<'_>, artifact: String) -> PyResult<Staging> {
        let store = self.store(py)?;
        let staging =
            store.staging("artifacts/new", "pipeline").map_err(|error| partita_error(py, error))?;
        let folder = staging.folder().as_os_str().to_owned();
        Ok(Staging { artifact, folder, staging: Mutex::new(Some(staging)), store })
    }

    /// Lets what no run needs be collected.
    fn release(&self) {
        drop(self.take());
    }
}

impl Literals {
    /// Returns what keeps the values from being collected, if there are any.
    pub(crate) fn take(&self) -> Option<Hold> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.take().map(|(_, hold)| hold)
    }

    /// Returns the stack's artifact store, held from the first time on.
    fn store(&self, py: Python<'_>) -> PyResult<Arc<dyn ArtifactStore>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((store, _)) = &*held {
            return Ok(Arc::clone(store));
        }
        let session = Session::open(&self.source_root).map_err(|error| partita_error(py, error))?;
        let stack =
            session.stack(self.stack.as_deref()).map_err(|error| partita_error(py, error))?;
        let store = session.artifact_store(&stack).map_err(|error| partita_error(py, error))?;
        let hold = py.detach(|| store.hold()).map_err(|error| partita_error(py, error))?;
        *held = Some((Arc::clone(&store), hold));
        Ok(store)
    }
}

/// A folder that becomes an artifact version which no step made.
#[pyclass(frozen, module = "partita._engine")]
pub(crate) struct Staging {
    artifact: String,
    /// The folder to write files to.
    #[pyo3(get)]
    folder: OsString,
    staging: Mutex<Option<partita_engine::store::Staging>>,
    store: Arc<dyn ArtifactStore>,
}

#[pymethods]
impl Staging {
    /// Makes the files an artifact version and returns its document.
    fn publish<'py>(
        &self,
        py: Python<'py>,
        type_name: String,
        format: String,
        code: Option<String>,
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
            digest(code).map_err(|error| partita_error(py, error))?,
            metadata,
            staging,
        )
        .map_err(|error| partita_error(py, error))?;
        let document = serde_json::to_vec(&version).map_err(|error| partita_error(py, error))?;
        Ok(PyBytes::new(py, &document))
    }
}
