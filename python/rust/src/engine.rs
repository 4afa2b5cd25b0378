//! Runs, resumes, plans and compiles traced pipelines.

use std::collections::BTreeMap;
use std::path::PathBuf;

use partita_cli::build_view;
use partita_cli::pipeline::{self, Attended, Earlier, Ended, Error, Request};
use partita_cli::plan_view::{self, View};
use partita_core::diagnostic::{Location, Report};
use partita_core::launcher::Outcome;
use partita_core::literal::Literal;
use partita_engine::compile::ConfigFile;
use partita_engine::step_runner::run_attempt;
use partita_orchestrators::local::Next;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde::Serialize;

use crate::call::PyCaller;
use crate::errors::{partita_error, pipeline_error};
use crate::staging::Literals;
use crate::wakeup::Wakeup;

/// How a run ended, for Python.
#[derive(Serialize)]
struct Outcomes<'a> {
    run_id: &'a str,
    status: &'a str,
    error: Option<&'a str>,
    failed: &'a [String],
    /// Whether a signal asked for its end.
    interrupted: bool,
    /// What the person who began it should know besides.
    warning: Option<&'a str>,
}

fn parse(py: Python<'_>, request: &[u8]) -> PyResult<Request> {
    serde_json::from_slice(request)
        .map_err(|error| pipeline_error(py, format!("the traced pipeline cannot be read: {error}")))
}

/// Returns the package's exception for what went wrong.
fn raised(py: Python<'_>, error: Error) -> PyErr {
    match error {
        Error::Refused(report) => pipeline_error(py, report),
        Error::Stopped => PanicException::new_err("the engine stopped"),
        // Python has noted the same signal, and would raise wherever it looks next.
        error if error.is_cancelled() => match py.check_signals() {
            Err(signal) => signal,
            Ok(()) => PyKeyboardInterrupt::new_err(()),
        },
        error => partita_error(py, error),
    }
}

/// Compiles a traced pipeline, runs it to its end and returns how it ended.
#[pyfunction]
pub(crate) fn run<'py>(
    py: Python<'py>,
    request: &[u8],
    literals: &Bound<'py, Literals>,
    caller: Py<PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let held = literals.get().take();
    let (request, python) = (parse(py, request)?, interpreter(py)?);
    let ended = py.detach(|| pipeline::run(request, &Ok(python), held, attending(caller)));
    told(py, ended)
}

/// Continues a run: the same run if its pipeline is what it was, else a new one that takes over
/// every commit whose key still matches. From `from_step` on it takes over nothing.
#[pyfunction]
pub(crate) fn resume<'py>(
    py: Python<'py>,
    request: &[u8],
    literals: &Bound<'py, Literals>,
    run_id: String,
    from_step: Option<String>,
    caller: Py<PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let held = literals.get().take();
    let (request, python) = (parse(py, request)?, interpreter(py)?);
    let earlier = Earlier { run_id, from_step };
    let ended =
        py.detach(|| pipeline::resume(request, earlier, &Ok(python), held, attending(caller)));
    told(py, ended)
}

/// Returns what calls the steps of a run as they come, with a Python `caller`.
fn attending(caller: Py<PyAny>) -> impl FnOnce(&Attended<'_>) -> Option<PyErr> + Send {
    move |attended| {
        Python::attach(|py| {
            let mut calls = PyCaller {
                py,
                caller: caller.bind(py),
                run_name: attended.run_name,
                store: &attended.context.store,
                trusted: attended.trusts_pickles,
                progress: Some(attended.progress),
                interrupted: false,
            };
            attend(attended, &mut calls)
        })
    }
}

/// Runs the steps of a run as they come, on this thread, until it is over. A signal cancels it:
/// no step begins after that. Returns what the first signal's handler raised.
fn attend(attended: &Attended<'_>, calls: &mut PyCaller<'_, '_>) -> Option<PyErr> {
    let steps = attended.steps;
    let _wakeup = Wakeup::install(calls.py, steps.bell());
    let mut raised = None;
    let mut interrupt = |error: PyErr| {
        raised.get_or_insert(error);
        attended.cancel.cancel();
    };
    let mut stopping = false;
    loop {
        if let Err(error) = calls.py.check_signals() {
            stopping = true;
            interrupt(error);
        }
        match calls.py.detach(|| steps.next()) {
            // The driver had handed it over before it knew of the signal.
            Next::Step(attempt, reports) if stopping => {
                reports.ended(attempt.unit(), attempt.number, Outcome::Cancelled);
            }
            Next::Step(attempt, reports) => {
                let outcome = run_attempt(attended.context, &attempt, calls);
                if calls.interrupted {
                    stopping = true;
                    interrupt(PyKeyboardInterrupt::new_err(()));
                }
                reports.ended(attempt.unit(), attempt.number, outcome);
            }
            Next::Signal => {}
            Next::Ended => return raised,
        }
    }
}

/// Returns the Python that runs this.
fn interpreter(py: Python<'_>) -> PyResult<PathBuf> {
    py.import("sys")?.getattr("executable")?.extract()
}

fn told<'py>(
    py: Python<'py>,
    ended: Result<Ended<Option<PyErr>>, Error>,
) -> PyResult<Bound<'py, PyBytes>> {
    let ended = ended.map_err(|error| raised(py, error))?;
    let interrupted = match ended.attended {
        Some(error) if !error.is_instance_of::<PyKeyboardInterrupt>(py) => return Err(error),
        ref interrupt => interrupt.is_some(),
    };
    bytes(
        py,
        &Outcomes {
            run_id: &ended.run_id,
            status: ended.status.as_str(),
            error: ended.error.as_deref(),
            failed: &ended.failed,
            interrupted,
            warning: ended.warning.as_deref(),
        },
    )
}

/// Returns what a run of a traced pipeline would do, as JSON.
#[pyfunction]
pub(crate) fn plan<'py>(py: Python<'py>, request: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let planned = pipeline::plan(parse(py, request)?).map_err(|error| raised(py, error))?;
    bytes(py, &planned)
}

/// Returns a plan as people or programs read it.
#[pyfunction]
pub(crate) fn render_plan(
    py: Python<'_>,
    planned: &[u8],
    format: &str,
    verbose: bool,
) -> PyResult<String> {
    let format = format.parse().map_err(|error: String| partita_error(py, error))?;
    plan_view::render_json(planned, View::on_stdout(format, verbose))
        .map_err(|error| partita_error(py, error))
}

/// Makes the images of a traced pipeline's steps, and returns what became of each as people or programs
/// read it.
#[pyfunction]
pub(crate) fn build(py: Python<'_>, request: &[u8], format: &str) -> PyResult<String> {
    let format = format.parse().map_err(|error: String| partita_error(py, error))?;
    let request = parse(py, request)?;
    let made = py.detach(|| pipeline::build(request)).map_err(|error| raised(py, error))?;
    build_view::render(&made, format).map_err(|error| partita_error(py, error))
}

/// Returns the deployment of a traced pipeline, as JSON with one key a line.
#[pyfunction]
pub(crate) fn compile_pipeline<'py>(
    py: Python<'py>,
    request: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    let text = pipeline::compile(parse(py, request)?).map_err(|error| raised(py, error))?;
    Ok(PyBytes::new(py, &text))
}

/// A pipeline parameter of a configuration file.
#[derive(Serialize)]
struct Parameter<'a> {
    value: &'a Literal,
    location: Option<&'a Location>,
}

/// Returns the pipeline parameters of a configuration file, each with its `value` and `location`.
#[pyfunction]
pub(crate) fn config_parameters(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyBytes>> {
    let config = ConfigFile::read(&path).map_err(|report| pipeline_error(py, report))?;
    let parameters = config.parameters();
    let written = parameters.map(|(name, value, location)| (name, Parameter { value, location }));
    bytes(py, &written.collect::<BTreeMap<_, _>>())
}

/// Returns the text that tells of problems, which are given as JSON.
#[pyfunction]
pub(crate) fn report(py: Python<'_>, problems: &[u8]) -> PyResult<String> {
    serde_json::from_slice(problems)
        .map(|problems| Report { problems }.to_string())
        .map_err(|error| partita_error(py, error))
}

/// Returns a document as bytes.
pub(crate) fn bytes<'py, T: Serialize + ?Sized>(
    py: Python<'py>,
    document: &T,
) -> PyResult<Bound<'py, PyBytes>> {
    let text = serde_json::to_vec(document).map_err(|error| partita_error(py, error))?;
    Ok(PyBytes::new(py, &text))
}
