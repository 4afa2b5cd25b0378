//! How a run stands whose orchestrator goes through the steps by itself: by its documents alone.

use std::sync::Arc;

use partita_core::launcher::Unit;
use partita_core::run::{EventKind, Failure, RunEnd, Submission, VERSION};
use partita_core::settings::FailureMode;
use partita_core::status::{RunStatus, StepStatus};

use super::{RunContext, record_lost};
use crate::clock;
use crate::drive::{FailedItems, summary};
use crate::schedule::Because;
use crate::store::{Documents, LeftByStep, Result, encode, layout};

/// How far a run has come.
pub(crate) struct Standing {
    /// Whether each step is committed.
    pub(crate) committed: Vec<bool>,
    /// The steps that have failed for good, and their last failures.
    pub(crate) failed: Vec<(usize, Arc<Failure>)>,
    /// Attempts that have begun, and of whose end there is no record.
    pub(crate) open: Vec<(Unit, u32)>,
    /// Whether one of those is the last of its step or item; a later one supersedes the others.
    is_held_open: bool,
}

/// Returns how a run stands since an orchestrator was handed it.
pub(crate) fn of(context: &RunContext, submission: &Submission) -> Result<Standing> {
    let left = Documents::new(&*context.store).left_by_steps(&context.run_id)?;
    let mut standing = Standing {
        committed: vec![false; context.deployment.steps.len()],
        failed: Vec::new(),
        open: Vec::new(),
        is_held_open: false,
    };
    for (step, left) in left.range(..context.deployment.steps.len()) {
        standing.committed[*step] = left.committed;
        if left.committed {
            continue;
        }
        let mut failed_items: Option<FailedItems> = None;
        for (item, left) in left.items.iter().filter(|(_, left)| !left.committed) {
            let failure = standing.add(context, submission, Unit::item(*step, *item), left)?;
            let Some(failure) = failure.map(Arc::new) else { continue };
            let first = FailedItems { first: *item, failure, count: 0 };
            failed_items.get_or_insert(first).count += 1;
        }
        let failure = match failed_items {
            Some(failed) => Some(failed.failure()),
            None => standing.add(context, submission, (*step).into(), left)?,
        };
        standing.failed.extend(failure.map(|failure| (*step, Arc::new(failure))));
    }
    Ok(standing)
}

impl Standing {
    /// Takes in what a step or an item has left; returns its failure if no attempt follows.
    fn add(
        &mut self,
        context: &RunContext,
        submission: &Submission,
        unit: Unit,
        left: &LeftByStep,
    ) -> Result<Option<Failure>> {
        let step = &context.deployment.steps[unit.step];
        let before = submission.attempts_before(unit);
        let mut failed = None;
        for number in left.attempts.iter().copied().filter(|number| *number > before) {
            let documents = Documents::new(&*context.store);
            let Some(result) = documents.result(&context.run_id, unit, &step.name, number)? else {
                self.open.push((unit, number));
                self.is_held_open |= left.attempts.last() == Some(&number);
                continue;
            };
            let is_last = step.config.retry.wait_after(number - before).is_none();
            if result.status == StepStatus::Failed && is_last {
                failed = result.error;
            }
        }
        Ok(failed)
    }

    /// Returns how the run has ended, if nothing is left to do in it.
    fn status(&self, context: &RunContext) -> Option<RunStatus> {
        if self.committed.iter().all(|committed| *committed) {
            return Some(RunStatus::Completed);
        }
        if self.failed.is_empty() || self.is_held_open {
            return None;
        }
        let goes_on = context.deployment.pipeline.failure_mode == FailureMode::ContinueOnFailure;
        let may_begin = |step: usize| goes_on && self.reason(context, step).is_none();
        let mut left = (0..self.committed.len()).filter(|step| self.is_left(*step));
        (!left.any(may_begin)).then_some(RunStatus::Failed)
    }

    fn is_left(&self, step: usize) -> bool {
        !self.committed[step] && self.failed.iter().all(|(failed, _)| *failed != step)
    }

    /// Returns why a step cannot begin any more: a step that it depends on, directly or not, has
    /// failed.
    fn reason(&self, context: &RunContext, step: usize) -> Option<Because> {
        let steps = &context.deployment.steps;
        let mut waiting = vec![step];
        while let Some(step) = waiting.pop() {
            for name in &steps[step].upstream_steps {
                let Some(upstream) = steps.iter().position(|step| step.name == *name) else {
                    continue;
                };
                if self.failed.iter().any(|(failed, _)| *failed == upstream) {
                    return Some(Because::UpstreamFailed { step: upstream });
                }
                waiting.push(upstream);
            }
        }
        None
    }
}

/// Ends a run in which nothing is left to do; returns how it ended if this ended it.
pub(crate) fn end(context: &RunContext, submission: &Submission) -> Result<Option<RunEnd>> {
    let standing = of(context, submission)?;
    let Some(status) = standing.status(context) else { return Ok(None) };
    let error = summary(&context.deployment, &standing.failed);
    let end = RunEnd { version: VERSION, status, ended_at: clock::now(), error };
    let path = layout::run_end(&context.run_id);
    let store = &*context.store;
    if !store.create(&path, encode(store, &path, &end)?.into())? {
        return Ok(None);
    }
    note_left(context, submission, &standing);
    Ok(Some(end))
}

/// Notes what became of the steps of a run that has failed and that have no record: mapped ones, and
/// those that never began.
pub(crate) fn note_left(context: &RunContext, submission: &Submission, standing: &Standing) {
    for (step, failure) in &standing.failed {
        if context.deployment.steps[*step].map_over.is_some() {
            let number = submission.attempts_before(Unit::from(*step)) + 1;
            record_lost(context, *step, number, failure, None);
        }
    }
    let stopped = match standing.failed.first() {
        Some((first, _)) => Because::RunStopped { step: *first }.reason(&context.deployment),
        None => format!("the orchestrator `{}` failed", submission.orchestrator),
    };
    for step in (0..standing.committed.len()).filter(|step| standing.is_left(*step)) {
        let reason = standing.reason(context, step);
        let reason =
            reason.map_or_else(|| stopped.clone(), |reason| reason.reason(&context.deployment));
        let step = context.deployment.steps[step].name.clone();
        context.note(EventKind::StepSkipped { step, reason });
    }
}
