//! Tells what happened to a run again, from its documents alone.

use std::collections::HashMap;
use std::sync::Arc;

use partita_core::deployment::Deployment;
use partita_core::launcher::Unit;
use partita_core::run::{Event, EventKind, RunEnd, RunHeader, StepResult};
use partita_core::status::{RunStatus, StepStatus};

use super::changes::{Change, RunRecord, RunStart, StepRun};
use crate::store::{ArtifactStore, Documents, LeftByStep, Result, StoreError};

/// A run as its documents have it.
pub(super) struct Replayed {
    pub(super) record: RunRecord,
    /// Documents that could not be read; what they say is missing from the record.
    pub(super) problems: Vec<StoreError>,
}

/// Returns the run as its documents have it, or `None` if it has no header.
///
/// `is_live` says whether an engine drives it, so that a missing end is no interruption.
pub(super) fn replay(
    store: &dyn ArtifactStore,
    run_id: &str,
    is_live: bool,
) -> Result<Option<Replayed>> {
    let documents = Documents::new(store);
    let header = match documents.run_header(run_id) {
        Ok(header) => header,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut replay =
        Replay { documents, run_id: Arc::from(header.id.as_str()), problems: Vec::new() };
    let deployment = replay.noting(documents.deployment(&header.deployment_id)).map(Arc::new);
    let events = replay.noting(documents.events(run_id)).unwrap_or_default();
    let needs_no_engine = replay.noting(documents.needs_no_engine(run_id)).unwrap_or(false);
    let end = replay.noting(documents.run_end(run_id)).flatten();
    let goes_on = match (needs_no_engine, is_live) {
        (true, _) => GoesOn::Submitted,
        (false, true) => GoesOn::Driven,
        (false, false) => GoesOn::No,
    };
    let changes = replay.changes(deployment.as_ref(), &events, end, goes_on);
    let start = start(header, deployment, store);
    Ok(Some(Replayed { record: RunRecord { start, changes }, problems: replay.problems }))
}

fn start(
    header: RunHeader,
    deployment: Option<Arc<Deployment>>,
    store: &dyn ArtifactStore,
) -> RunStart {
    RunStart { header, deployment, store: store.uri().to_owned(), status: RunStatus::Running }
}

/// Who goes on with a run that has no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GoesOn {
    /// An engine.
    Driven,
    /// The orchestrator that it was submitted to.
    Submitted,
    /// Nobody.
    No,
}

fn has_begun(change: &Change) -> bool {
    matches!(change, Change::StepStarted { .. } | Change::StepEnded { .. })
}

struct Replay<'a> {
    documents: Documents<'a>,
    run_id: Arc<str>,
    problems: Vec<StoreError>,
}

/// Changes in the order of their times; of those at one time, an attempt's start comes before its
/// end and before the next attempt.
type Timeline = Vec<((i64, u64), Change)>;

/// The rank, among changes at one time, of a cancellation.
const LAST: u64 = u64::MAX;

impl Replay<'_> {
    fn noting<T>(&mut self, read: Result<T>) -> Option<T> {
        read.map_err(|problem| self.problems.push(problem)).ok()
    }

    fn changes(
        &mut self,
        deployment: Option<&Arc<Deployment>>,
        events: &[Event],
        end: Option<RunEnd>,
        goes_on: GoesOn,
    ) -> Vec<Change> {
        let mut timeline = Timeline::new();
        self.add_events(&mut timeline, deployment, events);
        if let Some(deployment) = deployment {
            self.add_results(&mut timeline, deployment);
        }
        timeline.sort_by_key(|(at, _)| *at);
        let mut changes: Vec<Change> = timeline.into_iter().map(|(_, change)| change).collect();
        let resumed_at = events.iter().rev().find(|event| event.kind == EventKind::Resumed);
        // An end from before the run was taken up again is not its end.
        let end = end.filter(|end| resumed_at.is_none_or(|event| end.ended_at >= event.at));
        let run_id = self.run_id.clone();
        let problem = self.problems.first().map(ToString::to_string);
        match end {
            Some(mut end) => {
                // Without it, a step whose commit is damaged would only look as if it had not run.
                end.error = end.error.or(problem);
                changes.push(Change::RunEnded { run_id, end });
            }
            None if goes_on == GoesOn::Driven => {}
            None if goes_on == GoesOn::Submitted => {
                let is_waiting = !changes.iter().any(has_begun);
                changes.extend(is_waiting.then_some(Change::RunSubmitted { run_id }));
            }
            None => changes.push(Change::RunInterrupted { run_id, error: problem }),
        }
        changes
    }

    fn step(&self, deployment: &Arc<Deployment>, of: impl Into<Unit>) -> StepRun {
        let Unit { step: index, item } = of.into();
        StepRun { run_id: self.run_id.clone(), deployment: deployment.clone(), index, item }
    }

    fn add_events(
        &self,
        timeline: &mut Timeline,
        deployment: Option<&Arc<Deployment>>,
        events: &[Event],
    ) {
        let positions: HashMap<&str, usize> = deployment
            .iter()
            .flat_map(|deployment| deployment.steps.iter().enumerate())
            .map(|(index, step)| (step.name.as_str(), index))
            .collect();
        let step = |name: &str, item: Option<u32>| {
            Some(self.step(deployment?, Unit { step: *positions.get(name)?, item }))
        };
        let mut latest = i64::MIN;
        for event in events {
            // A clock that was set back does not change the order in which things happened.
            latest = latest.max(event.at.0);
            let at = event.at;
            let (rank, change) = match &event.kind {
                EventKind::Resumed => (0, Some(Change::RunResumed { run_id: self.run_id.clone() })),
                EventKind::StepExpanded { step: name, items } => {
                    let step = step(name, None);
                    (0, step.map(|step| Change::StepExpanded { step, items: *items }))
                }
                EventKind::AttemptStarted { step: name, item, attempt } => {
                    let change = step(name, *item).map(|step| Change::StepStarted {
                        step,
                        attempt: *attempt,
                        at,
                    });
                    (2 * u64::from(*attempt), change)
                }
                EventKind::StepSkipped { step: name, reason } => {
                    let step = step(name, None);
                    (LAST, step.map(|step| Change::StepSkipped { step, reason: reason.clone() }))
                }
                EventKind::StepCancelled { step: name, item } => {
                    (LAST, step(name, *item).map(|step| Change::StepCancelled { step, at }))
                }
                EventKind::Metadata { key, value } => {
                    let (run_id, key, value) = (self.run_id.clone(), key.clone(), value.clone());
                    (0, Some(Change::RunMetadata { run_id, key, value }))
                }
                EventKind::CancelRequested | EventKind::HookFailed { .. } => (0, None),
            };
            timeline.extend(change.map(|change| ((latest, rank), change)));
        }
    }

    fn add_results(&mut self, timeline: &mut Timeline, deployment: &Arc<Deployment>) {
        let left = self.noting(self.documents.left_by_steps(&self.run_id)).unwrap_or_default();
        for (index, left) in left.range(..deployment.steps.len()) {
            self.add_results_of(timeline, deployment, Unit::from(*index), left);
            for (item, left) in &left.items {
                self.add_results_of(timeline, deployment, Unit::item(*index, *item), left);
            }
        }
    }

    fn add_results_of(
        &mut self,
        timeline: &mut Timeline,
        deployment: &Arc<Deployment>,
        unit: Unit,
        left: &LeftByStep,
    ) {
        for result in self.results(deployment, unit, left) {
            let step = self.step(deployment, unit);
            // A mapped step ends after its items, be it at the same time.
            let is_whole = deployment.steps[unit.step].map_over.is_some() && unit.item.is_none();
            let rank = if is_whole { LAST } else { 2 * u64::from(result.attempt) + 1 };
            let at = (result.ended_at.0, rank);
            let retry = &deployment.steps[unit.step].config.retry;
            let is_due = !is_whole
                && result.status == StepStatus::Failed
                && retry.wait_after(result.attempt).is_some();
            let retrying = is_due.then(|| (at, Change::StepRetrying { step: step.clone() }));
            timeline.push((at, Change::StepEnded { step, result: Arc::new(result) }));
            timeline.extend(retrying);
        }
    }

    /// Returns the results of a step or an item: those of attempts that did not succeed, and the
    /// commit.
    fn results(
        &mut self,
        deployment: &Deployment,
        unit: Unit,
        left: &LeftByStep,
    ) -> Vec<StepResult> {
        let name = &deployment.steps[unit.step].name;
        let run_id = self.run_id.clone();
        let mut results = Vec::new();
        for number in &left.attempts {
            let result = self.noting(self.documents.result(&run_id, unit, name, *number));
            results.extend(result.flatten());
        }
        if left.committed {
            results.extend(self.noting(self.documents.commit(&run_id, unit, name)).flatten());
        }
        results
    }
}
