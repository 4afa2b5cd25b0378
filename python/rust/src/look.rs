//! Looks things up for the Python client.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use partita_cli::session::Session;
use partita_core::artifact::ArtifactVersion;
use partita_core::launcher::Unit;
use partita_core::literal::Literal;
use partita_core::run::{Event, EventKind, Target};
use partita_core::stack::ComponentType;
use partita_engine::clock;
use partita_engine::metadata::{Artifacts, Change, Registry, RunFilter, RunIndex, VersionFilter};
use partita_engine::step_runner::{load_folder, load_inline};
use partita_engine::store::{Documents, StoreError, layout};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use serde::{Deserialize, Serialize};

use crate::engine::bytes;
use crate::errors::partita_error;

fn session(py: Python<'_>) -> PyResult<Session> {
    Session::open(Path::new(".")).map_err(|error| partita_error(py, error))
}

/// Returns a run with its steps.
#[pyfunction]
pub(crate) fn get_run<'py>(py: Python<'py>, reference: &str) -> PyResult<Bound<'py, PyBytes>> {
    let session = session(py)?;
    let run = session
        .home()
        .with_runs(|runs| runs.get(reference))
        .map_err(|error| partita_error(py, error))?;
    bytes(py, &run)
}

/// How a run's pipeline was called.
#[derive(Serialize)]
struct Called {
    pipeline: String,
    parameters: BTreeMap<String, Literal>,
    target: Option<Target>,
}

/// Returns how a run's pipeline was called.
#[pyfunction]
pub(crate) fn run_call<'py>(py: Python<'py>, reference: &str) -> PyResult<Bound<'py, PyBytes>> {
    let session = session(py)?;
    let run = session
        .home()
        .with_runs(|runs| runs.find(reference))
        .map_err(|error| partita_error(py, error))?;
    let store = store_at(py, &session, &run.store)?;
    let documents = Documents::new(&*store);
    let header = documents.run_header(&run.id).map_err(|error| partita_error(py, error))?;
    let deployment =
        documents.deployment(&run.deployment_id).map_err(|error| partita_error(py, error))?;
    let parameters = deployment.pipeline.parameters;
    bytes(py, &Called { pipeline: header.pipeline, parameters, target: header.target })
}

/// Returns runs without their steps, latest first.
#[pyfunction]
pub(crate) fn list_runs(
    py: Python<'_>,
    pipeline: Option<String>,
    status: Option<String>,
    name: Option<String>,
    limit: Option<usize>,
) -> PyResult<Bound<'_, PyBytes>> {
    let status = status
        .map(|status| status.parse())
        .transpose()
        .map_err(|error| partita_error(py, error))?;
    let filter = RunFilter { pipeline, status, name, limit, ..RunFilter::default() };
    let session = session(py)?;
    let runs = session
        .home()
        .with_runs(|runs| runs.list(&filter))
        .map_err(|error| partita_error(py, error))?;
    bytes(py, &runs)
}

/// Returns artifact versions, latest first.
#[pyfunction]
pub(crate) fn list_artifacts(
    py: Python<'_>,
    artifact: Option<String>,
    run: Option<String>,
    limit: Option<usize>,
) -> PyResult<Bound<'_, PyBytes>> {
    let session = session(py)?;
    let run_id = run
        .map(|run| session.home().with_runs(|runs| runs.find(&run)).map(|run| run.id))
        .transpose()
        .map_err(|error| partita_error(py, error))?;
    let filter = VersionFilter { artifact, run_id, limit, ..VersionFilter::default() };
    let index = session.home().metadata();
    let versions =
        Artifacts::new(&**index).list(&filter).map_err(|error| partita_error(py, error))?;
    bytes(py, &versions)
}

/// Returns an artifact version.
#[pyfunction]
pub(crate) fn get_artifact<'py>(py: Python<'py>, reference: &str) -> PyResult<Bound<'py, PyBytes>> {
    let session = session(py)?;
    let index = session.home().metadata();
    let version =
        Artifacts::new(&**index).find(reference).map_err(|error| partita_error(py, error))?;
    bytes(py, &version)
}

type Store = Arc<dyn partita_engine::store::ArtifactStore>;

fn store_at(py: Python<'_>, session: &Session, uri: &str) -> PyResult<Store> {
    session.home().store_at(uri).map_err(|error| partita_error(py, error))
}

/// An artifact version and what it takes to load it.
struct Found {
    version: ArtifactVersion,
    store: Store,
    /// Whether pickles of its run may be loaded.
    trusted: bool,
}

fn found(py: Python<'_>, reference: &str) -> PyResult<Found> {
    let session = session(py)?;
    let index = session.home().metadata();
    let artifacts = Artifacts::new(&**index);
    let view = artifacts.find(reference).map_err(|error| partita_error(py, error))?;
    let run = session
        .home()
        .with_runs(|runs| runs.find(&view.run_id))
        .map_err(|error| partita_error(py, error))?;
    let store = store_at(py, &session, &run.store)?;
    let version = artifacts.read(&*store, &view).map_err(|error| partita_error(py, error))?;
    let trusted = session
        .home()
        .trusts_pickles_of(&run.stack, &run.store)
        .map_err(|error| partita_error(py, error))?;
    Ok(Found { version, store, trusted })
}

/// Returns an artifact version as documents hold it.
#[pyfunction]
pub(crate) fn artifact_version<'py>(
    py: Python<'py>,
    reference: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    bytes(py, &found(py, reference)?.version)
}

/// Returns what is needed to load an artifact version, after a check of its digests: its inlined
/// value or its folder, its format, its type, and whether pickles are trusted; for a list of
/// versions, a list of such.
#[pyfunction]
pub(crate) fn load_artifact<'py>(py: Python<'py>, reference: &str) -> PyResult<Bound<'py, PyAny>> {
    let found = found(py, reference)?;
    loadable(py, &found, &found.version)
}

fn loadable<'py>(
    py: Python<'py>,
    found: &Found,
    version: &ArtifactVersion,
) -> PyResult<Bound<'py, PyAny>> {
    if let Some(items) = &version.items {
        let items = items.iter().map(|item| loadable(py, found, item));
        return Ok(PyList::new(py, items.collect::<PyResult<Vec<_>>>()?)?.into_any());
    }
    let inlined = load_inline(&*found.store, version).map_err(|error| partita_error(py, error))?;
    let value = inlined.map(|value| PyBytes::new(py, value.text().as_bytes()));
    let folder = match value {
        Some(_) => None,
        None => {
            let folder = py.detach(|| load_folder(&*found.store, version));
            Some(folder.map_err(|error| partita_error(py, error))?.into_os_string())
        }
    };
    let loadable = (value, folder, &version.format, &version.type_name, found.trusted);
    Ok(loadable.into_pyobject(py)?.into_any())
}

/// Returns what a step of a run printed, or an item of it, in all its attempts.
#[pyfunction]
pub(crate) fn read_log(
    py: Python<'_>,
    run_id: &str,
    step: &str,
    item: Option<u32>,
) -> PyResult<String> {
    #[derive(Deserialize)]
    struct Line {
        line: String,
    }
    let session = session(py)?;
    let run = session
        .home()
        .with_runs(|runs| runs.get(run_id))
        .map_err(|error| partita_error(py, error))?;
    let store = store_at(py, &session, &run.store)?;
    let mut text = String::new();
    let (Some(index), Some(view)) = (run.steps.get_index_of(step), run.steps.get(step)) else {
        return Ok(text);
    };
    let (unit, view) = match item {
        None => (Unit::from(index), Some(view)),
        Some(item) => {
            let items = view.items.as_ref();
            (Unit::item(index, item), items.and_then(|items| items.get(item as usize)))
        }
    };
    for attempt in view.iter().flat_map(|view| &view.attempts) {
        let lines = match store.read(&layout::log(run_id, unit, step, attempt.number)) {
            Ok(lines) => lines,
            Err(StoreError::NotFound { .. }) => continue,
            Err(error) => return Err(partita_error(py, error)),
        };
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            if let Ok(Line { line }) = serde_json::from_slice(line) {
                text.push_str(&line);
                text.push('\n');
            }
        }
    }
    Ok(text)
}

/// Notes values about a run.
#[pyfunction]
pub(crate) fn add_run_metadata(py: Python<'_>, reference: &str, metadata: &[u8]) -> PyResult<()> {
    let values: BTreeMap<String, Literal> =
        serde_json::from_slice(metadata).map_err(|error| partita_error(py, error))?;
    let noted = values.into_iter().map(|(key, value)| (key, value.text().to_owned()));
    let noted: Vec<_> = noted.collect();
    let events = noted
        .iter()
        .map(|(key, value)| EventKind::Metadata { key: key.clone(), value: value.clone() });
    let session = session(py)?;
    let run_id = add_events(py, &session, reference, events)?;
    let changes: Vec<_> = noted
        .into_iter()
        .map(|(key, value)| Change::RunMetadata { run_id: Arc::clone(&run_id), key, value })
        .collect();
    session.home().metadata().apply(&changes).map_err(|error| partita_error(py, error))
}

/// Notes that a pipeline's hook raised an exception.
#[pyfunction]
pub(crate) fn note_failed_hook(
    py: Python<'_>,
    run_id: &str,
    hook: String,
    error: String,
) -> PyResult<()> {
    let event = EventKind::HookFailed { step: None, item: None, hook, error };
    add_events(py, &session(py)?, run_id, [event]).map(drop)
}

/// Adds events to the record of a run that may have ended; returns the run's id.
fn add_events(
    py: Python<'_>,
    session: &Session,
    reference: &str,
    events: impl IntoIterator<Item = EventKind>,
) -> PyResult<Arc<str>> {
    let run = session
        .home()
        .with_runs(|runs| runs.find(reference))
        .map_err(|error| partita_error(py, error))?;
    let store = store_at(py, session, &run.store)?;
    let mut writer =
        store.appender(&layout::events(&run.id)).map_err(|error| partita_error(py, error))?;
    for kind in events {
        let mut line = serde_json::to_vec(&Event { at: clock::now(), kind })
            .map_err(|error| partita_error(py, error))?;
        line.push(b'\n');
        writer.write_all(&line).map_err(|error| partita_error(py, error))?;
    }
    Ok(run.id.as_str().into())
}

/// Returns the stacks.
#[pyfunction]
pub(crate) fn list_stacks(py: Python<'_>) -> PyResult<Bound<'_, PyBytes>> {
    let stacks =
        session(py)?.home().metadata().stacks().map_err(|error| partita_error(py, error))?;
    bytes(py, &stacks)
}

/// Returns the components of a type.
#[pyfunction]
pub(crate) fn list_components<'py>(
    py: Python<'py>,
    component_type: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let kind: ComponentType =
        component_type.parse().map_err(|error: String| partita_error(py, error))?;
    let components = session(py)?
        .home()
        .metadata()
        .components(kind)
        .map_err(|error| partita_error(py, error))?;
    bytes(py, &components)
}
