//! A run whose orchestrator goes through the steps by itself: it is handed over, and what became of
//! it is read from documents.

use std::sync::Arc;

use partita_core::launcher::Unit;
use partita_core::run::{EndedBy, EventKind, Failure, RunEnd, Submission, VERSION};
use partita_core::status::RunStatus;

use super::live::{Executed, LiveRun, RunError};
use crate::clock;
use crate::drive::{RunOutcome, summary};
use crate::metadata::write_again;
use crate::schedule::Counts;
use crate::step_runner::{RunContext, record_lost, standing};
use crate::store::{ArtifactStore, Documents, Staging, StoreError, encode, layout};

/// Why an orchestrator did not go through a run to its end.
#[derive(Debug, Clone)]
pub enum HandOver {
    /// It was not handed the run, for this reason.
    NotTaken(String),
    /// It failed.
    Failed(String),
    /// Someone cancelled the run.
    Cancelled,
}

/// Takes a run back that was submitted: it is cancelled, and no step of it begins any more. Returns
/// the orchestrator that had it, unless it has ended.
///
/// # Errors
/// If its documents cannot be read or written, or an engine has just taken it.
pub fn take_back(
    store: &Arc<dyn ArtifactStore>,
    run_id: &str,
) -> Result<Option<String>, StoreError> {
    let _lease = store.lease(run_id)?;
    let documents = Documents::new(&**store);
    let Some(submission) = documents.submission(run_id)? else { return Ok(None) };
    let header = documents.run_header(run_id)?;
    let deployment = Arc::new(documents.deployment(&header.deployment_id)?);
    let context = RunContext::new(run_id, deployment, Arc::clone(store));
    let status = RunStatus::Cancelled;
    let end = RunEnd { version: VERSION, status, ended_at: clock::now(), error: None };
    let path = layout::run_end(run_id);
    if !store.create(&path, encode(&**store, &path, &end)?.into())? {
        return Ok(None);
    }
    note_cancelled(&context, &standing::of(&context, &submission)?);
    Ok(Some(submission.orchestrator))
}

fn note_cancelled(context: &RunContext, standing: &standing::Standing) {
    context.note(EventKind::CancelRequested);
    for step in (0..standing.committed.len()).filter(|step| !standing.committed[*step]) {
        let step = context.deployment.steps[step].name.clone();
        context.note(EventKind::StepCancelled { step, item: None });
    }
}

impl LiveRun {
    /// Returns what says that the orchestrator with this name goes through the steps by itself.
    pub fn submission(&self, orchestrator: &str, ends: EndedBy) -> Submission {
        let before = &self.before;
        let steps = before.first_attempts.iter().enumerate();
        let steps = steps.map(|(step, first)| (Unit::from(step), *first));
        let items = before.items.iter().map(|(unit, begun)| (*unit, begun.first_attempt));
        let made = steps.chain(items).filter(|(_, first)| *first > 1);
        Submission {
            version: VERSION,
            orchestrator: orchestrator.to_owned(),
            submitted_at: clock::now(),
            ends,
            attempts: made.map(|(unit, first)| (unit.to_string(), first - 1)).collect(),
        }
    }

    /// Hands the run to an orchestrator, which `hand_over` waits for, and records what became of it.
    /// Where its entrypoints end the run, it goes on after that without an engine.
    ///
    /// # Errors
    /// If its documents cannot be written or read.
    pub fn submit(
        self,
        submission: &Submission,
        hand_over: impl FnOnce() -> Result<(), HandOver>,
    ) -> Result<Executed, RunError> {
        let context = Arc::clone(&self.context);
        let store = &*context.store;
        let path = layout::submission(&context.run_id);
        store.write(&path, encode(store, &path, submission)?.into())?;
        let handed_over = hand_over().map_err(|error| match (error, context.secrets()) {
            // An orchestrator knows those of its configuration.
            (HandOver::NotTaken(why), Some(secrets)) => {
                HandOver::NotTaken(secrets.redacted(&why).into_owned())
            }
            (HandOver::Failed(why), Some(secrets)) => {
                HandOver::Failed(secrets.redacted(&why).into_owned())
            }
            (error, _) => error,
        });
        let (status, error) = match (&handed_over, submission.ends) {
            (Ok(()), EndedBy::Entrypoint) => (RunStatus::Submitted, None),
            _ => self.close(submission, handed_over)?,
        };
        let failed = standing::of(&context, submission)?.failed;
        let index_error = write_again(&*self.metadata, store, &self.header.id).err();
        let counts = Counts::default();
        Ok(Executed { outcome: RunOutcome { status, error, failed, counts }, index_error })
    }

    /// Ends a run that its orchestrator has left; returns how it ended.
    fn close(
        &self,
        submission: &Submission,
        handed_over: Result<(), HandOver>,
    ) -> Result<(RunStatus, Option<String>), RunError> {
        let context = &*self.context;
        let store = &*context.store;
        let left = match &handed_over {
            Err(HandOver::Cancelled) => None,
            Err(HandOver::NotTaken(why)) => Some(why.clone()),
            Err(HandOver::Failed(why)) => {
                Some(format!("the orchestrator `{}` failed: {why}", submission.orchestrator))
            }
            Ok(()) => Some(format!(
                "the orchestrator `{}` is done, and the step is not; let its `prepare_or_run_pipeline` start the entrypoint of every step and wait for it, or say with `is_synchronous` of its configuration that it does not wait",
                submission.orchestrator
            )),
        };
        let failed = matches!(handed_over, Err(HandOver::Failed(_) | HandOver::NotTaken(_)));
        let standing = match &left {
            Some(why) => self.with_lost(submission, why, failed)?,
            None => standing::of(context, submission)?,
        };
        let is_complete = standing.committed.iter().all(|committed| *committed);
        let (status, error) = match &left {
            // What it does after the last step counts as well: who asked for that would not know.
            Some(why) if is_complete && failed => (RunStatus::Failed, Some(why.clone())),
            _ if is_complete => (RunStatus::Completed, None),
            Some(why) => {
                let of_steps = summary(&context.deployment, &standing.failed);
                (RunStatus::Failed, Some(of_steps.unwrap_or_else(|| why.clone())))
            }
            None => (RunStatus::Cancelled, None),
        };
        match status {
            RunStatus::Failed => standing::note_left(context, submission, &standing),
            RunStatus::Cancelled => note_cancelled(context, &standing),
            _ => {}
        }
        context.write_rest()?;
        let _ = Staging::remove_left(store, &self.header.id);
        let end = RunEnd { version: VERSION, status, ended_at: clock::now(), error };
        let path = layout::run_end(&self.header.id);
        if store.create(&path, encode(store, &path, &end)?.into())? {
            return Ok((end.status, end.error));
        }
        let end = Documents::new(store).run_end(&self.header.id)?.unwrap_or(end);
        Ok((end.status, end.error))
    }

    /// Records, of the steps that nothing else is known of, that the orchestrator lost them; returns
    /// how the run stands then.
    fn with_lost(
        &self,
        submission: &Submission,
        why: &str,
        failed: bool,
    ) -> Result<standing::Standing, RunError> {
        let context = &*self.context;
        let mut standing = standing::of(context, submission)?;
        for (unit, number) in std::mem::take(&mut standing.open) {
            let lost = "its process ended, and left no record of how";
            let failure =
                Failure::ours(if failed { format!("{lost}: {why}") } else { lost.into() });
            record_lost(context, unit, number, &failure, context.began(unit, number)?);
            let is_told = standing.failed.iter().any(|(step, _)| *step == unit.step);
            if !standing.committed[unit.step] && !is_told {
                standing.failed.push((unit.step, Arc::new(failure)));
            }
        }
        // One that failed has failed its run; one that says that it is done has left a step out.
        if !failed
            && standing.failed.is_empty()
            && let Some(step) = standing.committed.iter().position(|committed| !committed)
        {
            let failure = Failure::ours(why);
            let number = submission.attempts_before(step.into()) + 1;
            record_lost(context, step, number, &failure, None);
            standing.failed.push((step, Arc::new(failure)));
        }
        Ok(standing)
    }
}
