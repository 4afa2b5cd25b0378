//! One step of a run, as a step entrypoint calls it.

use partita_core::launcher::Outcome;
use partita_core::run::Failure;
use partita_engine::step_runner::{AttemptNumber, Entered, StepEntry};
use pyo3::prelude::*;

use crate::call::PyCaller;
use crate::errors::partita_error;

/// How a step ended, and what went wrong, with the author's traceback if it has one.
type Ended = (&'static str, Option<(String, Option<String>)>);

/// One step of a run, opened in the place where it runs.
#[pyclass(frozen, module = "partita._native", name = "StepEntry")]
pub(crate) struct PyStepEntry(StepEntry);

#[pymethods]
impl PyStepEntry {
    /// Opens a step with the deployment and the artifact store alone.
    #[new]
    #[pyo3(signature = (artifact_store, deployment_id, run_id, step_name, item=None))]
    fn new(
        py: Python<'_>,
        artifact_store: &str,
        deployment_id: &str,
        run_id: &str,
        step_name: &str,
        item: Option<u32>,
    ) -> PyResult<Self> {
        py.detach(|| {
            StepEntry::open(artifact_store, deployment_id, run_id, step_name)?.of_item(item)
        })
        .map(Self)
        .map_err(|error| partita_error(py, error))
    }

    #[getter]
    fn pipeline_name(&self) -> &str {
        &self.0.deployment().pipeline.name
    }

    #[getter]
    fn pipeline_source(&self) -> &str {
        &self.0.deployment().pipeline.source
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

    /// The source root of the run, as it was where the run began.
    #[getter]
    fn source_root(&self) -> Option<&str> {
        self.0.header().target.as_ref().map(|target| target.source_root.as_str())
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

    /// Runs the step unless it is done; `attempt` is its number, or `None` for the next one.
    fn run(
        &self,
        py: Python<'_>,
        attempt: Option<u32>,
        caller: &Bound<'_, PyAny>,
    ) -> PyResult<Ended> {
        let number = attempt.map_or(AttemptNumber::Auto, AttemptNumber::Given);
        let mut calls = PyCaller {
            py,
            caller,
            run_name: &self.0.header().name,
            store: self.0.store(),
            trusted: self.0.trusts_pickles(),
            progress: None,
            interrupted: false,
        };
        let entered = self.0.run(number, &mut calls).map_err(|error| partita_error(py, error))?;
        Ok(match entered {
            Entered::AlreadyCommitted => ("committed", None),
            Entered::Cached => ("cached", None),
            Entered::Ran(Outcome::Completed(_)) => ("completed", None),
            Entered::Ran(Outcome::Cancelled) => ("cancelled", None),
            Entered::Ran(Outcome::Failed(failure)) => ("failed", Some(told(failure))),
        })
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
