//! Follows a run that any process drives, by its documents alone.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use partita_core::deployment::Deployment;
use partita_core::launcher::Unit;
use partita_core::run::{Event, EventKind, RunHeader, StepResult};
use partita_core::status::{RunStatus, StepStatus};
use partita_core::time::Timestamp;

use crate::clock;
use crate::drive::RunEvent;
use crate::store::{ArtifactStore, Documents, LeaseState, LeftByStep, Result, Watch, layout};

/// The longest time between two looks, for what no file tells of.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The shortest time between two looks, so that a step which prints without end is not followed
/// line by line.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);

/// A run as it goes on.
pub struct Follower {
    store: Arc<dyn ArtifactStore>,
    header: RunHeader,
    deployment: Arc<Deployment>,
    indices: HashMap<String, usize>,
    watch: Box<dyn Watch>,
    /// Events that were told of.
    events: usize,
    /// When an engine took the run up last, and the first attempt that it made at each step.
    /// What was before it is over.
    resumed_at: Option<Timestamp>,
    first_attempts: HashMap<Unit, u32>,
    /// Attempts whose record was told of.
    attempts: HashSet<(Unit, u32)>,
    /// Steps and items whose end was told of.
    ended: HashSet<Unit>,
    has_ended: bool,
    looked_at: Option<Instant>,
}

/// Waits until something may have happened and returns what has, in order; there may be nothing.
///
/// The last event is the run's end; a run whose engine died ends as `interrupted`. Nothing follows
/// an end, or a document that cannot be read.
impl Iterator for Follower {
    type Item = Result<Vec<Happened>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        if let Some(looked_at) = self.looked_at {
            std::thread::sleep(SHORTEST_WAIT.saturating_sub(looked_at.elapsed()));
        }
        self.watch.wait(LONGEST_WAIT);
        self.looked_at = Some(Instant::now());
        let looked = self.look();
        self.has_ended |= looked.is_err();
        Some(looked)
    }
}

/// Something that happened in a run, and when.
pub struct Happened {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub event: RunEvent,
}

impl Follower {
    /// Begins to follow a run.
    ///
    /// # Errors
    /// If its documents cannot be read.
    pub fn new(run_id: &str, store: Arc<dyn ArtifactStore>) -> Result<Self> {
        let documents = Documents::new(&*store);
        let header = documents.run_header(run_id)?;
        let deployment = Arc::new(documents.deployment(&header.deployment_id)?);
        let indices = deployment
            .steps
            .iter()
            .enumerate()
            .map(|(index, step)| (step.name.clone(), index))
            .collect();
        let watch = store.watch(&layout::run(run_id))?;
        Ok(Self {
            store,
            header,
            deployment,
            indices,
            watch,
            events: 0,
            resumed_at: None,
            first_attempts: HashMap::new(),
            attempts: HashSet::new(),
            ended: HashSet::new(),
            has_ended: false,
            looked_at: None,
        })
    }

    /// Has it not tell of steps and items whose end is told elsewhere.
    pub(super) fn without(mut self, ended: impl IntoIterator<Item = Unit>) -> Self {
        self.ended.extend(ended);
        self
    }

    /// Returns the run's header.
    pub fn header(&self) -> &RunHeader {
        &self.header
    }

    /// Returns what the run executes.
    pub fn deployment(&self) -> &Arc<Deployment> {
        &self.deployment
    }

    /// Returns the store that it is in.
    pub fn store(&self) -> &Arc<dyn ArtifactStore> {
        &self.store
    }

    fn look(&mut self) -> Result<Vec<Happened>> {
        // Looked at first: what a dying engine leaves is there once its lease is free.
        let is_driven = self.store.lease_state(&self.header.id)? != LeaseState::Free;
        let store = Arc::clone(&self.store);
        let documents = Documents::new(&*store);
        let needs_engine = !documents.needs_no_engine(&self.header.id)?;
        let end = documents.run_end(&self.header.id)?;
        let mut happened = Vec::new();
        self.add_events(documents.events(&self.header.id)?, &mut happened);
        self.add_results(&documents, &mut happened)?;
        happened.sort_by_key(|one| one.at);
        if let Some(end) = end {
            let event = RunEvent::RunEnded { status: end.status, error: end.error };
            happened.push(Happened { at: end.ended_at, event });
            self.has_ended = true;
        } else if !is_driven && needs_engine {
            let event = RunEvent::RunEnded { status: RunStatus::Interrupted, error: None };
            happened.push(Happened { at: clock::now(), event });
            self.has_ended = true;
        }
        Ok(happened)
    }

    fn add_events(&mut self, events: Vec<Event>, happened: &mut Vec<Happened>) {
        let count = events.len();
        let resumed = events.iter().rposition(|event| event.kind == EventKind::Resumed);
        if let Some(resumed) = resumed.filter(|resumed| *resumed >= self.events) {
            self.events = resumed;
            self.resumed_at = Some(events[resumed].at);
            self.first_attempts.clear();
        }
        for Event { at, kind } in events.into_iter().skip(self.events) {
            let unit = |name: &str, item| Some(Unit { step: *self.indices.get(name)?, item });
            let event = match kind {
                EventKind::StepExpanded { step, items } => unit(&step, None)
                    .filter(|unit| !self.ended.contains(unit))
                    .map(|Unit { step, .. }| RunEvent::StepExpanded { step, items, committed: 0 }),
                EventKind::AttemptStarted { step, item, attempt } => {
                    let unit = unit(&step, item);
                    if let Some(unit) = unit {
                        self.first_attempts.entry(unit).or_insert(attempt);
                    }
                    unit.filter(|unit| !self.ended.contains(unit))
                        .map(|Unit { step, item }| RunEvent::StepStarted { step, item, attempt })
                }
                EventKind::StepSkipped { step, reason } => unit(&step, None)
                    .and_then(|unit| self.end(unit, StepStatus::Skipped, None, Some(reason))),
                EventKind::StepCancelled { step, item } => unit(&step, item)
                    .and_then(|unit| self.end(unit, StepStatus::Cancelled, None, None)),
                EventKind::CancelRequested => Some(RunEvent::CancelRequested),
                EventKind::Resumed | EventKind::HookFailed { .. } | EventKind::Metadata { .. } => {
                    None
                }
            };
            happened.extend(event.map(|event| Happened { at, event }));
        }
        self.events = count;
    }

    fn add_results(
        &mut self,
        documents: &Documents<'_>,
        happened: &mut Vec<Happened>,
    ) -> Result<()> {
        for (index, left) in documents.left_by_steps(&self.header.id)? {
            for (item, left) in &left.items {
                self.add_results_of(documents, Unit::item(index, *item), left, happened)?;
            }
            self.add_results_of(documents, Unit::from(index), &left, happened)?;
        }
        Ok(())
    }

    fn add_results_of(
        &mut self,
        documents: &Documents<'_>,
        unit: Unit,
        left: &LeftByStep,
        happened: &mut Vec<Happened>,
    ) -> Result<()> {
        let Some(step) = self.deployment.steps.get(unit.step) else { return Ok(()) };
        let name = step.name.clone();
        for number in left.attempts.iter().copied() {
            if self.attempts.contains(&(unit, number)) {
                continue;
            }
            // A log comes before its attempt's result.
            let Some(result) = documents.result(&self.header.id, unit, &name, number)? else {
                continue;
            };
            self.attempts.insert((unit, number));
            self.add_attempt(unit, result, happened);
        }
        if left.committed
            && !self.ended.contains(&unit)
            && let Some(result) = documents.commit(&self.header.id, unit, &name)?
        {
            let at = result.ended_at;
            let event = self.end(unit, result.status, Some(result), None);
            happened.extend(event.map(|event| Happened { at, event }));
        }
        Ok(())
    }

    fn add_attempt(&mut self, unit: Unit, result: StepResult, happened: &mut Vec<Happened>) {
        let at = result.ended_at;
        let Unit { step, item } = unit;
        let Some(failure) = result.error.clone().map(Arc::new) else { return };
        if self.resumed_at.is_some_and(|resumed| at < resumed) {
            return;
        }
        let rules = &self.deployment.steps[step];
        // The record of a mapped step says that it failed, and is of no attempt.
        let is_whole = rules.map_over.is_some() && item.is_none();
        let first = self.first_attempts.get(&unit).copied().unwrap_or(1);
        let number = (result.attempt + 1).saturating_sub(first);
        let retry_in = rules.config.retry.wait_after(number).filter(|_| !is_whole);
        if !is_whole {
            let (attempt, failure) = (result.attempt, Arc::clone(&failure));
            let event = RunEvent::AttemptFailed { step, item, attempt, failure, retry_in };
            happened.push(Happened { at, event });
        }
        if retry_in.is_none() && self.ended.insert(unit) {
            let event = RunEvent::StepEnded {
                step,
                item,
                status: StepStatus::Failed,
                result: None,
                failure: Some(failure),
                because: None,
            };
            happened.push(Happened { at, event });
        }
    }

    /// Returns the end of a step or an item, unless it was told of.
    fn end(
        &mut self,
        unit: Unit,
        status: StepStatus,
        result: Option<StepResult>,
        because: Option<String>,
    ) -> Option<RunEvent> {
        let result = result.map(Arc::new);
        let is_new = self.ended.insert(unit);
        let Unit { step, item } = unit;
        let (failure, because) = (None, because.map(Arc::from));
        is_new.then_some(RunEvent::StepEnded { step, item, status, result, failure, because })
    }
}
