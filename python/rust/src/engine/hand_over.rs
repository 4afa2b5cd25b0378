//! A run that an orchestrator goes through by itself: handed over on a thread of its own, shown by
//! its documents, and cancelled by a signal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use partita_cli::progress::{self, Progress};
use partita_cli::terminal::shell_word;
use partita_core::run::{EndedBy, RunHeader};
use partita_core::status::RunStatus;
use partita_engine::runs::{Executed, Follower, HandOver, LiveRun};
use partita_engine::step_runner::RunContext;
use partita_orchestrators::local::{self, LocalSteps, Next};
use partita_plugin::Delegate;
use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::{End, LauncherError, Prepared, ended, launchers};
use crate::errors::partita_error;
use crate::wakeup::Wakeup;

/// An orchestrator that was told of a run.
pub(super) struct Opened {
    /// It, or why it is not handed the run.
    delegate: Result<Delegate, HandOver>,
    /// What the handler of a signal raised meanwhile.
    raised: Option<PyErr>,
}

/// Tells an orchestrator of a run, which may take long and is cancelled by a signal. Returns nothing
/// if it does not take the run.
pub(super) fn open(
    py: Python<'_>,
    live: &LiveRun,
    prepared: &Prepared,
    delegate: Result<Delegate, LauncherError>,
) -> PyResult<Option<Opened>> {
    let failed = |error: LauncherError| HandOver::Failed(error.to_string());
    let delegate = match delegate {
        Ok(delegate) => delegate,
        Err(error) => return Ok(Some(Opened { delegate: Err(failed(error)), raised: None })),
    };
    let (local, steps) = local::open().map_err(|error| partita_error(py, error))?;
    let (opened, raised) = std::thread::scope(|scope| {
        let opening = scope.spawn(|| {
            let _end = End(&local);
            launchers::takes_run(&delegate, prepared, live)
        });
        let raised = attend(py, &steps, || delegate.cancel());
        (py.detach(|| opening.join()), raised)
    });
    let Ok(opened) = opened else { return Err(PanicException::new_err("the engine stopped")) };
    // Nothing begins if a signal came just now, either.
    let raised = raised.or_else(|| py.check_signals().err());
    let delegate = match (opened, &raised) {
        (Ok(true), None) => Ok(delegate),
        (opened, raised) => {
            py.detach(|| drop(delegate));
            match (opened, raised) {
                (_, Some(_)) => Err(HandOver::Cancelled),
                (Err(error), None) => Err(failed(error)),
                (Ok(_), None) => return Ok(None),
            }
        }
    };
    Ok(Some(Opened { delegate, raised }))
}

/// Hands a run to the orchestrator, or records why that cannot be, and returns how it ended.
pub(super) fn run<'py>(
    py: Python<'py>,
    live: LiveRun,
    prepared: &Prepared,
    Opened { delegate, raised: before }: Opened,
    progress: Arc<Progress>,
) -> PyResult<Bound<'py, PyBytes>> {
    let header = live.header().clone();
    let context = Arc::clone(live.context());
    let goes_on = delegate.as_ref().is_ok_and(|delegate| !delegate.is_synchronous());
    let ends = if goes_on { EndedBy::Entrypoint } else { EndedBy::Engine };
    let submission = live.submission(&header.orchestrator, ends);
    let (local, steps) = local::open().map_err(|error| partita_error(py, error))?;
    let is_cancelled = AtomicBool::new(false);
    let (outcome, raised) = std::thread::scope(|scope| {
        let (delegate, is_cancelled) = (&delegate, &is_cancelled);
        if !goes_on {
            scope.spawn(|| follow(&context, &progress));
        }
        let handing = scope.spawn(|| {
            let _end = End(&local);
            live.submit(&submission, || hand_over(delegate, is_cancelled))
        });
        let raised = attend(py, &steps, || {
            is_cancelled.store(true, Ordering::SeqCst);
            if let Ok(delegate) = delegate {
                delegate.cancel();
            }
        });
        (py.detach(|| handing.join()), raised)
    });
    let Executed { outcome, index_error } = match outcome {
        Ok(executed) => executed.map_err(|error| partita_error(py, error))?,
        Err(_) => return Err(PanicException::new_err("the engine stopped")),
    };
    if outcome.status == RunStatus::Submitted {
        progress::note(prepared.style, &submitted(&header));
    } else if goes_on {
        follow(&context, &progress);
    }
    let warning = index_error.map(|error| format!("the index lacks part of this run: {error}"));
    match before.or(raised) {
        Some(error) if !error.is_instance_of::<PyKeyboardInterrupt>(py) => Err(error),
        raised => ended(py, &header.id, &context.deployment, &outcome, raised.is_some(), warning),
    }
}

fn submitted(RunHeader { name, orchestrator, .. }: &RunHeader) -> String {
    let word = shell_word(name);
    format!(
        "run `{name}` is submitted to `{orchestrator}`; `partita runs watch {word}` shows how it goes on"
    )
}

fn hand_over(
    delegate: &Result<Delegate, HandOver>,
    is_cancelled: &AtomicBool,
) -> Result<(), HandOver> {
    let delegate = delegate.as_ref().map_err(Clone::clone)?;
    if is_cancelled.load(Ordering::SeqCst) {
        return Err(HandOver::Cancelled);
    }
    delegate.run().map_err(|why| match is_cancelled.load(Ordering::SeqCst) {
        true => HandOver::Cancelled,
        false => HandOver::Failed(why),
    })
}

/// Shows what happens in a run until its end.
fn follow(context: &RunContext, progress: &Progress) {
    let follower = Follower::new(&context.run_id, Arc::clone(&context.store));
    for happened in follower.into_iter().flatten().flatten().flatten() {
        progress.happened(&happened);
    }
}

/// Waits, on this thread, until the run is over; returns what the first signal's handler raised.
fn attend(py: Python<'_>, steps: &LocalSteps, cancel: impl Fn()) -> Option<PyErr> {
    let _wakeup = Wakeup::install(py, steps.bell());
    let mut raised = None;
    loop {
        if let Err(error) = py.check_signals() {
            raised.get_or_insert(error);
            cancel();
        }
        if let Next::Ended = py.detach(|| steps.next()) {
            return raised;
        }
    }
}
