//! Steps of a run, as a step entrypoint and the zygote call them.

use std::path::PathBuf;
use std::sync::Arc;

use nix::sys::prctl::{set_child_subreaper, set_pdeathsig};
use nix::sys::signal::Signal;
use partita_core::digest::InvalidDigest;
use partita_core::launcher::{Outcome, Unit};
use partita_core::run::Failure;
use partita_core::secret;
use partita_core::settings::FailureMode;
use partita_engine::code;
use partita_engine::drive::timed_out;
use partita_engine::secrets::Secrets;
use partita_engine::step_runner::{Closed, Entered, RunEntry, StepEntry, Try};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::call::PyCaller;
use crate::engine::bytes;
use crate::errors::partita_error;

/// How a step ended, and what went wrong, with the author's traceback if it has one.
type Ended = (&'static str, Option<(String, Option<String>)>);

/// A run, opened in a place where steps of it run.
#[pyclass(frozen, module = "partita._native", name = "RunEntry")]
pub(crate) struct PyRunEntry(Arc<RunEntry>);

#[pymethods]
impl PyRunEntry {
    /// Opens a run with the deployment and the artifact store alone.
    #[new]
    fn new(
        py: Python<'_>,
        artifact_store: &str,
        deployment_id: &str,
        run_id: &str,
    ) -> PyResult<Self> {
        py.detach(|| RunEntry::open(artifact_store, deployment_id, run_id))
            .map(|run| Self(Arc::new(run)))
            .map_err(|error| partita_error(py, error))
    }

    /// Returns the deployment, as JSON.
    fn deployment<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        bytes(py, self.0.deployment())
    }

    /// Puts the author's code with this digest into a folder.
    fn unpack_code(&self, py: Python<'_>, digest: &str, folder: PathBuf) -> PyResult<()> {
        let digest =
            digest.parse().map_err(|error: InvalidDigest| partita_error(py, error.to_string()))?;
        py.detach(|| code::unpack(&**self.0.store(), digest, &folder))
            .map_err(|error| partita_error(py, error))
    }

    /// Returns the step with this name, or an item of it.
    #[pyo3(signature = (name, item=None))]
    fn step_named(&self, py: Python<'_>, name: &str, item: Option<u32>) -> PyResult<PyStepEntry> {
        py.detach(|| StepEntry::named(Arc::clone(&self.0), name, item))
            .map(PyStepEntry)
            .map_err(|error| partita_error(py, error))
    }

    /// Returns the step with this number in the deployment, or an item of it.
    fn step_at(&self, py: Python<'_>, step: usize, item: Option<u32>) -> PyResult<PyStepEntry> {
        if step >= self.0.deployment().steps.len() {
            return Err(PyIndexError::new_err(step));
        }
        py.detach(|| StepEntry::of(Arc::clone(&self.0), Unit { step, item }))
            .map(PyStepEntry)
            .map_err(|error| partita_error(py, error))
    }
}

/// Has the system kill this process when its parent ends, or not any more.
#[pyfunction]
pub(crate) fn end_with_parent(py: Python<'_>, ends: bool) -> PyResult<()> {
    let signal = ends.then_some(Signal::SIGKILL);
    set_pdeathsig(signal).map_err(|error| partita_error(py, std::io::Error::from(error)))
}

/// Has processes become children of this one whose parents below it have ended.
#[pyfunction]
pub(crate) fn adopt_orphans(py: Python<'_>) -> PyResult<()> {
    set_child_subreaper(true).map_err(|error| partita_error(py, std::io::Error::from(error)))
}

/// One step of a run, opened in the place where it runs.
#[pyclass(frozen, module = "partita._native", name = "StepEntry")]
pub(crate) struct PyStepEntry(StepEntry);

#[pymethods]
impl PyStepEntry {
    #[getter]
    fn pipeline_name(&self) -> &str {
        &self.0.run_entry().deployment().pipeline.name
    }

    #[getter]
    fn pipeline_source(&self) -> &str {
        &self.0.run_entry().deployment().pipeline.source
    }

    #[getter]
    fn run_name(&self) -> &str {
        &self.0.run_entry().header().name
    }

    #[getter]
    fn step_name(&self) -> &str {
        &self.0.step().name
    }

    /// `module:qualname` of the step's function.
    #[getter]
    fn source(&self) -> &str {
        &self.0.step().source
    }

    /// The file that defines the function, relative to the source root.
    #[getter]
    fn file(&self) -> Option<&str> {
        self.0.source().and_then(|source| source.file.as_deref())
    }

    /// The program that the step is entered by, if it is not entered by Python.
    #[getter]
    fn program(&self) -> Option<&str> {
        self.0.source()?.program.as_ref().map(|program| program.path.as_str())
    }

    /// Whether the step is a command, which no language calls.
    #[getter]
    fn is_command(&self) -> bool {
        self.0.source().is_some_and(|source| source.command.is_some())
    }

    /// The source root of the run, as it was where the run began.
    #[getter]
    fn source_root(&self) -> Option<&str> {
        self.0.run_entry().header().target.as_ref().map(|target| target.source_root.as_str())
    }

    /// The step's hooks as `(on_success, on_failure)`, each as `module:qualname`.
    #[getter]
    fn hooks(&self) -> (Option<&str>, Option<&str>) {
        let hooks = &self.0.step().config.hooks;
        (hooks.on_success.as_deref(), hooks.on_failure.as_deref())
    }

    /// The materializers that the author chose, by output, each as `module.qualname`.
    #[getter]
    fn materializers(&self) -> Vec<(&str, &str)> {
        let outputs = self.0.step().outputs.iter();
        outputs
            .filter_map(|output| Some((output.name.as_str(), output.materializer.as_deref()?)))
            .collect()
    }

    /// The pipeline's hooks as `(on_success, on_failure)`, each as `module:qualname`.
    #[getter]
    fn pipeline_hooks(&self) -> (Option<&str>, Option<&str>) {
        let hooks = &self.0.run_entry().deployment().pipeline.hooks;
        (hooks.on_success.as_deref(), hooks.on_failure.as_deref())
    }

    /// The bytes of memory that the step asks for.
    #[getter]
    fn memory(&self) -> Option<u64> {
        self.0.step().config.resources.memory.map(|memory| memory.0)
    }

    /// Whether a step that failed leaves the others of the run to go on.
    #[getter]
    fn goes_on_after_failures(&self) -> bool {
        let mode = self.0.run_entry().deployment().pipeline.failure_mode;
        mode == FailureMode::ContinueOnFailure
    }

    /// The seconds that an attempt may take.
    #[getter]
    fn timeout(&self) -> Option<f64> {
        self.0.step().config.timeout.map(|timeout| timeout.0)
    }

    /// What is said of an attempt that took longer.
    #[getter]
    fn timed_out(&self) -> Option<String> {
        self.0.step().config.timeout.map(|timeout| {
            let timeout = std::time::Duration::from_secs_f64(timeout.0);
            timed_out(timeout).message
        })
    }

    /// Whether the step takes values of secrets.
    #[getter]
    fn takes_secrets(&self) -> bool {
        !secret::taken_by(self.0.step()).is_empty()
    }

    /// Returns whether the artifact store says how an attempt that did not succeed ended.
    fn is_recorded(&self, attempt: u32) -> bool {
        self.0.is_recorded(attempt)
    }

    /// Takes the values of the secrets that the step takes, as its launcher hands them over.
    fn give_secrets(&self, py: Python<'_>, handed: &[u8]) -> PyResult<()> {
        let secrets = Secrets::decode(handed).map_err(|error| partita_error(py, error))?;
        self.0.run_entry().give_secrets(secrets);
        Ok(())
    }

    /// Returns why the step cannot begin that was given so many graphics processors, if none is seen.
    fn missing_gpus(&self, given: u32) -> Option<String> {
        self.0.missing_gpus(given)
    }

    /// Records why an attempt cannot be made here.
    fn refuse(&self, attempt: u32, why: &str) {
        self.0.refuse(attempt, why);
    }

    /// Runs the step unless it is done; `attempt` is its number, which may have been claimed. Whoever
    /// counts attempts says why the step was not cached, and whether another may follow.
    #[pyo3(signature = (attempt, caller, cache_reason=None, is_last=None, *, claimed=false))]
    fn run(
        &self,
        py: Python<'_>,
        attempt: u32,
        caller: &Bound<'_, PyAny>,
        cache_reason: Option<String>,
        is_last: Option<bool>,
        claimed: bool,
    ) -> PyResult<Ended> {
        let which = match claimed {
            true => Try::Claimed(attempt),
            false => Try::Launched { number: attempt, cache_reason, is_last },
        };
        let run = self.0.run_entry();
        let mut calls = PyCaller {
            py,
            caller,
            run_name: &run.header().name,
            store: run.store(),
            trusted: run.trusts_pickles(),
            progress: None,
            interrupted: false,
        };
        let entered = self.0.run(which, &mut calls).map_err(|error| partita_error(py, error))?;
        Ok(match entered {
            Entered::AlreadyCommitted => ("committed", None),
            Entered::Cached => ("cached", None),
            Entered::Ran(outcome) => match outcome {
                Outcome::Completed(_) => ("completed", None),
                Outcome::Cancelled => ("cancelled", None),
                Outcome::Failed(failure) | Outcome::GaveUp(failure) => {
                    ("failed", Some(told(failure)))
                }
            },
        })
    }

    /// Takes the next attempt's number, unless the step is committed.
    fn claim(&self, py: Python<'_>) -> PyResult<Option<u32>> {
        py.detach(|| self.0.claim()).map_err(|error| partita_error(py, error))
    }

    /// Returns how a claimed attempt ended, whose process has ended; what went wrong where its record
    /// does not say; and the seconds after which another one follows.
    #[pyo3(signature = (number, exit_code, why=None))]
    fn close(
        &self,
        py: Python<'_>,
        number: u32,
        exit_code: i32,
        why: Option<String>,
    ) -> PyResult<(&'static str, Option<String>, Option<f64>)> {
        let closed = py.detach(|| self.0.close(number, exit_code, why));
        Ok(match closed.map_err(|error| partita_error(py, error))? {
            Closed::Committed => ("committed", None, None),
            Closed::Cancelled => ("cancelled", None, None),
            Closed::Failed { retry_in } => ("failed", None, retry_in),
            Closed::Lost { failure, retry_in } => ("failed", Some(failure.message), retry_in),
        })
    }

    /// Returns how many items a mapped step has, of which none was chosen.
    fn items(&self, py: Python<'_>) -> PyResult<Option<usize>> {
        py.detach(|| self.0.items()).map_err(|error| partita_error(py, error))
    }

    /// Notes that a hook of the pipeline raised an exception.
    fn note_failed_hook(&self, hook: String, error: String) {
        self.0.note_failed_hook(hook, error);
    }

    /// Ends the run if no engine does and nothing is left to do in it; returns its status and what
    /// went wrong if this ended it.
    fn end_if_last(&self, py: Python<'_>) -> PyResult<Option<(&'static str, Option<String>)>> {
        let end = py.detach(|| self.0.end_if_last()).map_err(|error| partita_error(py, error))?;
        Ok(end.map(|end| (end.status.as_str(), end.error)))
    }
}

fn told(failure: Failure) -> (String, Option<String>) {
    let message = match failure.kind.as_str() {
        "partita" => failure.message,
        kind if failure.message.is_empty() => kind.to_owned(),
        kind => format!("{kind}: {}", failure.message),
    };
    (message, failure.traceback)
}
