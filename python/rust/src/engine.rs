//! Runs traced pipelines.

pub(crate) mod compile;
mod hand_over;
mod launchers;
pub(crate) mod resume;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;

use nix::unistd::{close, dup2_stderr, dup2_stdout};
use partita_cli::progress::{Progress, Style};
use partita_cli::session::Session;
use partita_core::deployment::Deployment;
use partita_core::diagnostic::Report;
use partita_core::launcher::Outcome;
use partita_core::literal::Literal;
use partita_core::run::Target;
use partita_core::spec::PipelineSpec;
use partita_core::stack::{Capabilities, Stack};
use partita_engine::cache::ResumedFrom;
use partita_engine::compile::{CompileRequest, Compiled, ConfigFile, Overrides};
use partita_engine::drive::{CancelHandle, Observer, RunOutcome};
use partita_engine::limits::HomeLimits;
use partita_engine::runs::{self, Executed, LiveRun, NewRun, RunError};
use partita_engine::secrets::{SecretError, Secrets};
use partita_engine::step_runner::{RunContext, run_attempt};
use partita_engine::store::{ArtifactStore, Hold};
use partita_orchestrators::local::{self, LocalLauncher, LocalSteps, Next};
use partita_orchestrators::process::Echo;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde::{Deserialize, Serialize};

use crate::call::PyCaller;
use crate::echo::TerminalEcho;
use crate::errors::{partita_error, pipeline_error};
use crate::staging::Literals;
use crate::wakeup::Wakeup;
pub(crate) use launchers::LauncherError;

/// What Python asks for.
#[derive(Deserialize)]
struct Request {
    source_root: PathBuf,
    spec: PipelineSpec,
    config: Option<PathBuf>,
    parameters: BTreeMap<String, Literal>,
    stack: Option<String>,
    enable_cache: Option<bool>,
    run_name: Option<String>,
    target: Option<Target>,
    quiet: bool,
    verbose: bool,
    /// Whether the caller raises what a step raised, and so shows its traceback.
    raises: bool,
    /// The file descriptor that takes the run's name once it has begun; then this process goes on
    /// by itself.
    #[serde(default)]
    detach: Option<RawFd>,
}

/// A compiled pipeline with the place where it runs.
struct Prepared {
    session: Session,
    stack: Stack,
    capabilities: Capabilities,
    other_capabilities: BTreeMap<String, Capabilities>,
    store: Arc<dyn ArtifactStore>,
    compiled: Compiled,
    target: Option<Target>,
    style: Style,
    detach: Option<RawFd>,
}

impl Prepared {
    /// Returns what the stack's orchestrators can do, in its order. No step runs on one whose flavor
    /// is not registered.
    fn all_capabilities(&self) -> Vec<Capabilities> {
        let others = self.stack.orchestrators.iter().skip(1).map(|orchestrator| {
            self.other_capabilities.get(&orchestrator.name).copied().unwrap_or(self.capabilities)
        });
        std::iter::once(self.capabilities).chain(others).collect()
    }

    /// Returns the values of the secrets that the deployment refers to.
    fn secrets(&self, py: Python<'_>) -> PyResult<Option<Secrets>> {
        let secrets = self.session.home().secrets();
        secrets.resolve(&self.compiled.deployment).map_err(|error| partita_error(py, error))
    }
}

/// How a run ended, for Python.
#[derive(Serialize)]
struct Ended<'a> {
    run_id: &'a str,
    status: &'a str,
    error: Option<&'a str>,
    failed: Vec<&'a str>,
    /// Whether a signal asked for its end.
    interrupted: bool,
    /// What the person who began it should know besides.
    warning: Option<String>,
}

fn parse(py: Python<'_>, request: &[u8]) -> PyResult<Request> {
    serde_json::from_slice(request)
        .map_err(|error| pipeline_error(py, format!("the traced pipeline cannot be read: {error}")))
}

fn prepare(py: Python<'_>, request: Request) -> PyResult<Prepared> {
    let session = Session::open(&request.source_root).map_err(|error| partita_error(py, error))?;
    let stack =
        session.stack(request.stack.as_deref()).map_err(|error| partita_error(py, error))?;
    let capabilities = session.capabilities(&stack).map_err(|error| partita_error(py, error))?;
    let other_capabilities =
        session.other_capabilities(&stack).map_err(|error| partita_error(py, error))?;
    let store = session.artifact_store(&stack).map_err(|error| partita_error(py, error))?;
    let report = |report: Report| pipeline_error(py, report);
    let config = request.config.as_deref().map(ConfigFile::read).transpose().map_err(report)?;
    let compile = CompileRequest {
        stack: stack.clone(),
        capabilities,
        other_capabilities: other_capabilities.clone(),
        flavor_settings: session.flavor_settings().map_err(|error| partita_error(py, error))?,
        config,
        overrides: Overrides {
            parameters: request.parameters.into_iter().collect(),
            enable_cache: request.enable_cache,
            run_name: request.run_name,
        },
        source_root: request.source_root,
        environment_variables: std::env::vars_os()
            .filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
            })
            .collect(),
    };
    let compiled = partita_engine::compile::compile(request.spec, &compile).map_err(report)?;
    session.home().secrets().check(&compiled.deployment).map_err(|error| match error {
        SecretError::Missing(missing) => report(missing),
        error => partita_error(py, error),
    })?;
    let style = Style { quiet: request.quiet, verbose: request.verbose, raises: request.raises };
    Ok(Prepared {
        session,
        stack,
        capabilities,
        other_capabilities,
        store,
        compiled,
        target: request.target,
        style,
        detach: request.detach,
    })
}

/// Compiles a traced pipeline, runs it to its end and returns how it ended.
#[pyfunction]
pub(crate) fn run<'py>(
    py: Python<'py>,
    request: &[u8],
    literals: &Bound<'py, Literals>,
    caller: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let held = literals.get().take();
    let prepared = prepare(py, parse(py, request)?)?;
    start(py, prepared, None, held, caller)
}

fn start<'py>(
    py: Python<'py>,
    mut prepared: Prepared,
    resumed_from: Option<ResumedFrom>,
    held: Option<Hold>,
    caller: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let interpreter = interpreter(py)?;
    py.detach(|| launchers::check(&prepared, &interpreter))
        .map_err(|error| partita_error(py, error))?;
    let new = NewRun {
        deployment: Arc::new(prepared.compiled.deployment.clone()),
        name: prepared.compiled.run_name.take(),
        target: prepared.target.take(),
        user: std::env::var("USER").ok(),
        resumed_from,
    };
    let secrets = prepared.secrets(py)?;
    let metadata = Arc::clone(prepared.session.home().metadata());
    let live = py
        .detach(|| LiveRun::begin(new, Arc::clone(&prepared.store), metadata))
        .map_err(|error| partita_error(py, error))?;
    drop(held);
    if let Some(channel) = prepared.detach {
        detach(&live.header().name, channel).map_err(|error| partita_error(py, error))?;
    }
    execute(py, live, &prepared, secrets, caller)
}

/// Tells whoever started this process what its run is called, and leaves the terminal.
fn detach(name: &str, channel: RawFd) -> std::io::Result<()> {
    let told = OpenOptions::new().write(true).open(format!("/dev/fd/{channel}"));
    writeln!(told?, "{name}")?;
    close(channel)?;
    let nowhere = OpenOptions::new().write(true).open("/dev/null")?;
    dup2_stdout(&nowhere)?;
    dup2_stderr(&nowhere)?;
    Ok(())
}

fn execute<'py>(
    py: Python<'py>,
    live: LiveRun,
    prepared: &Prepared,
    secrets: Option<Secrets>,
    caller: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let context = Arc::clone(live.context());
    if let Some(secrets) = secrets {
        context.give_secrets(secrets);
    }
    let header = live.header().clone();
    let deployment: Arc<Deployment> = Arc::clone(&context.deployment);
    let progress = Arc::new(Progress::new(&live, prepared.style));
    let trusted = prepared
        .session
        .home()
        .trusts_pickles(&prepared.stack.artifact_store)
        .map_err(|error| partita_error(py, error))?;
    let echo = Arc::new(TerminalEcho::new(&progress));
    let (local, steps) = local::open().map_err(|error| partita_error(py, error))?;
    let interpreter = interpreter(py)?;
    let shown: Arc<dyn Echo> = Arc::clone(&echo) as _;
    let delegate = py.detach(|| launchers::delegate(prepared, &live, &interpreter, &shown));
    if let Some(delegate) = delegate.transpose()
        && let Some(opened) = hand_over::open(py, &live, prepared, delegate)?
    {
        return hand_over::run(py, live, prepared, opened, progress);
    }
    let opened = py.detach(|| launchers::open(prepared, &live, &local, interpreter, shown));
    let (launchers, step_observer) = opened.map_err(|error| partita_error(py, error))?;
    let capabilities = prepared.all_capabilities();
    let limits = prepared.session.home().path().join("limits");
    let limits = HomeLimits::new(limits, Arc::clone(&deployment), &header.name);
    let outcome = std::thread::scope(|scope| {
        let (send_handle, handle) = mpsc::channel::<CancelHandle>();
        let observers: [Arc<dyn Observer>; 3] =
            [echo, Arc::clone(&progress) as _, Arc::new(step_observer)];
        let driver = scope.spawn(move || {
            let (capabilities, limits) = (&capabilities[..], &limits as _);
            let place = runs::Place { launcher: &launchers, capabilities, limits };
            drive(live, place, &local, &observers, send_handle)
        });
        let handle = py.detach(move || handle.recv().ok());
        let mut calls = PyCaller {
            py,
            caller,
            run_name: &header.name,
            store: &context.store,
            trusted,
            progress: Some(&progress),
            interrupted: false,
        };
        let raised = attend(&steps, &context, &mut calls, handle.as_ref());
        (py.detach(|| driver.join()), raised)
    });
    let (outcome, raised) = outcome;
    let Executed { outcome, index_error } = match outcome {
        Ok(executed) => executed.map_err(|error| partita_error(py, error))?,
        Err(_) => return Err(PanicException::new_err("the engine stopped")),
    };
    let warning = index_error.map(|error| {
        format!(
            "the index lacks part of this run, until somebody looks at the run and there is room for it: {error}"
        )
    });
    match raised {
        Some(error) if !error.is_instance_of::<PyKeyboardInterrupt>(py) => Err(error),
        raised => ended(py, &header.id, &deployment, &outcome, raised.is_some(), warning),
    }
}

/// Runs the steps of a run as they come, on this thread, until it is over. A signal cancels it:
/// no step begins after that. Returns what the first signal's handler raised.
fn attend(
    steps: &LocalSteps,
    context: &RunContext,
    calls: &mut PyCaller<'_, '_>,
    cancel: Option<&CancelHandle>,
) -> Option<PyErr> {
    let _wakeup = Wakeup::install(calls.py, steps.bell());
    let mut raised = None;
    let mut interrupt = |error: PyErr| {
        raised.get_or_insert(error);
        if let Some(cancel) = cancel {
            cancel.cancel();
        }
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
                let outcome = run_attempt(context, &attempt, calls);
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

/// Drives a run on a thread of its own and tells the main thread when it is over, however it ends.
/// By then no process of the run is left.
fn drive(
    live: LiveRun,
    place: runs::Place<'_>,
    local: &LocalLauncher,
    observers: &[Arc<dyn Observer>],
    handle: mpsc::Sender<CancelHandle>,
) -> Result<Executed, RunError> {
    let _end = End(local);
    let observers: Vec<&dyn Observer> = observers.iter().map(|observer| &**observer).collect();
    live.execute(place, &observers, move |cancel| {
        // The main thread waits for it before anything else.
        let _ = handle.send(cancel);
    })
}

/// Tells the main thread, when it is dropped, that a run is over.
struct End<'a>(&'a LocalLauncher);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Returns the Python that runs this.
fn interpreter(py: Python<'_>) -> PyResult<PathBuf> {
    py.import("sys")?.getattr("executable")?.extract()
}

fn ended<'py>(
    py: Python<'py>,
    run_id: &str,
    deployment: &Deployment,
    outcome: &RunOutcome,
    interrupted: bool,
    warning: Option<String>,
) -> PyResult<Bound<'py, PyBytes>> {
    let ended = Ended {
        interrupted,
        warning,
        run_id,
        status: outcome.status.as_str(),
        error: outcome.error.as_deref(),
        failed: outcome
            .failed
            .iter()
            .map(|(step, _)| deployment.steps[*step].name.as_str())
            .collect(),
    };
    bytes(py, &ended)
}

/// Returns a document as bytes.
pub(crate) fn bytes<'py, T: Serialize + ?Sized>(
    py: Python<'py>,
    document: &T,
) -> PyResult<Bound<'py, PyBytes>> {
    let text = serde_json::to_vec(document).map_err(|error| partita_error(py, error))?;
    Ok(PyBytes::new(py, &text))
}
