//! Continues runs that did not complete.

use std::sync::Arc;

use partita_core::deployment::Deployment;
use partita_core::name::nearest;
use partita_core::status::RunStatus;
use partita_engine::cache::ResumedFrom;
use partita_engine::metadata::{RunFilter, RunView};
use partita_engine::runs::{self, LiveRun, RunError};
use partita_engine::store::Documents;
use partita_engine::store::Hold;
use partita_orchestrators::{docker, process};

use super::execute::{Attended, Ended, begin, execute};
use super::launchers::{LauncherError, locks};
use super::prepare::Prepared;
use super::{Error, PythonPath, Request};
use crate::progress;
use crate::session::Session;
use crate::terminal::shell_word;

/// A run to continue.
#[derive(Debug)]
pub struct Earlier {
    /// The run's id.
    pub run_id: String,
    /// The step from which on it takes over nothing.
    pub from_step: Option<String>,
}

/// Continues a run: the same run if its pipeline is what it was, else a new one that takes over
/// every commit whose key still matches.
///
/// # Errors
/// If it cannot be compiled, continued or ended.
pub fn resume<R>(
    mut request: Request,
    earlier: Earlier,
    python: &PythonPath,
    held: Option<Hold>,
    attend: impl FnOnce(&Attended<'_>) -> R,
) -> Result<Ended<R>, Error> {
    let Earlier { run_id, from_step } = earlier;
    let session = Session::open(&request.source_root)?;
    let run = session.home().with_runs(|runs| runs.get(&run_id))?;
    request.stack.get_or_insert_with(|| run.stack.clone());
    let mut prepared = Prepared::of(request)?;
    if prepared.store.uri() != run.store {
        return Err(Error::Told(elsewhere(&run, &prepared)));
    }
    let earlier = Documents::new(&*prepared.store).deployment(&run.deployment_id)?;
    if let Some(step) = &from_step {
        check_step(&prepared.compiled.deployment, step).map_err(Error::Told)?;
    }
    let changes = runs::changes(&earlier, &prepared.compiled.deployment);
    if changes.is_some() || from_step.is_some() {
        progress::note(prepared.style, &new_run(&run, changes.as_deref(), from_step.as_deref()));
        // A name that the options give is taken by the run that it takes the place of.
        prepared.compiled.run_name.take_if(|name| *name == run.name);
        // Whoever resumes it at the same time waits, and finds the run that takes its place.
        let lease = prepared.store.lease(&run.id).map_err(RunError::from)?;
        check_not_replaced(&run, &prepared)?;
        end_left(&prepared, &earlier, &run)?;
        let from = ResumedFrom { run_id: run.id, deployment_id: run.deployment_id, from_step };
        return begin(prepared, Some(from), python, (held, lease), attend);
    }
    prepared.check(python)?;
    let secrets = prepared.secrets()?;
    let metadata = Arc::clone(prepared.session.home().metadata());
    let end_left = || process::end_left(&earlier.stack, &run.id, &locks(&prepared));
    let live = LiveRun::resume(&run.id, Arc::clone(&prepared.store), metadata, end_left)?;
    drop(held);
    execute(live, &prepared, secrets, python, attend)
}

/// Checks that no run which took the place of this one goes on.
fn check_not_replaced(run: &RunView, prepared: &Prepared) -> Result<(), Error> {
    let documents = Documents::new(&*prepared.store);
    let going = RunFilter { status: Some(RunStatus::Running), ..RunFilter::default() };
    for other in prepared.session.home().with_runs(|runs| runs.list(&going))? {
        let header = documents.run_header(&other.id);
        if header.is_ok_and(|header| header.resumed_from.as_deref() == Some(&*run.id)) {
            return Err(Error::Told(format!(
                "run `{}` was resumed, and run `{}`, which takes its place, goes on; wait for that, or cancel it with `partita runs cancel {}`",
                run.name,
                other.name,
                shell_word(&other.name)
            )));
        }
    }
    Ok(())
}

/// Ends what an engine that died has left of a run: it is part of no run any more.
fn end_left(prepared: &Prepared, earlier: &Deployment, run: &RunView) -> Result<(), Error> {
    process::end_left(&earlier.stack, &run.id, &locks(prepared)).map_err(RunError::StillRuns)?;
    if run.status == RunStatus::Interrupted {
        docker::end_left(&earlier.stack, &run.id).map_err(LauncherError::from)?;
    }
    Ok(())
}

/// Checks that a deployment has a step.
fn check_step(deployment: &Deployment, step: &str) -> Result<(), String> {
    let names = || deployment.steps.iter().map(|step| step.name.as_str());
    if names().any(|name| name == step) {
        return Ok(());
    }
    let meant = nearest(step, names());
    let meant = meant.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
    Err(format!(
        "the pipeline has no step `{step}`{meant} to resume from; its steps are `{}`",
        names().collect::<Vec<_>>().join("`, `")
    ))
}

/// Says why a new run takes the place of one, and what it takes over.
fn new_run(run: &RunView, changes: Option<&str>, from_step: Option<&str>) -> String {
    let mut said = Vec::new();
    if let Some(changes) = changes {
        said.push(format!("since run `{}` began, this has changed: {changes}", run.name));
    }
    if let Some(step) = from_step {
        said.push(format!("step `{step}` and what depends on it run again"));
    }
    format!(
        "{}; a new run takes the place of `{}`, and takes over every finished step that this does not touch",
        said.join("; "),
        run.name
    )
}

/// Says that a run cannot go on because its stack has another artifact store now.
fn elsewhere(run: &RunView, prepared: &Prepared) -> String {
    format!(
        "run `{}` is kept in the artifact store `{}`, and its stack `{}` has `{}` now (`{}`); give the stack the artifact store of the run with `partita stack update {} -a NAME`, or run the pipeline anew",
        run.name,
        run.store,
        prepared.stack.name,
        prepared.stack.artifact_store.name,
        prepared.store.uri(),
        shell_word(&prepared.stack.name)
    )
}
