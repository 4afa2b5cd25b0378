//! What listens to the driver in every run: it tells the index, and writes down what no result says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use partita_core::launcher::Unit;
use partita_core::run::{EventKind, Failure};
use partita_core::status::StepStatus;
use partita_core::time::Timestamp;

use crate::drive::{Observer, RunEvent};
use crate::metadata::{Change, IndexWriter, StepRun};
use crate::schedule::BegunItem;
use crate::step_runner::{RunContext, record_lost};
use crate::store::Documents;

/// Records a run in its index and in its events, with the same times in both.
pub(super) struct Recorder {
    context: Arc<RunContext>,
    index: Arc<IndexWriter>,
    first_attempts: FirstAttempts,
    /// The last attempt of each step and item that has begun and not ended, and when it did.
    begun: Mutex<HashMap<Unit, (u32, Timestamp)>>,
}

/// The numbers of the first attempts that an execution makes.
pub(super) struct FirstAttempts {
    /// By step.
    pub(super) steps: Vec<u32>,
    /// Of items that had begun before; 1 for all others.
    pub(super) items: HashMap<Unit, BegunItem>,
}

impl FirstAttempts {
    fn of(&self, unit: Unit) -> u32 {
        let known = match unit.item {
            None => self.steps.get(unit.step).copied(),
            Some(_) => self.items.get(&unit).map(|begun| begun.first_attempt),
        };
        known.unwrap_or(1)
    }
}

impl Recorder {
    pub(super) fn new(
        context: Arc<RunContext>,
        index: Arc<IndexWriter>,
        first_attempts: FirstAttempts,
    ) -> Self {
        Self { context, index, first_attempts, begun: Mutex::default() }
    }

    fn begun(&self) -> MutexGuard<'_, HashMap<Unit, (u32, Timestamp)>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, Unit { step: index, item }: Unit) -> StepRun {
        StepRun {
            run_id: Arc::clone(&self.context.run_id),
            deployment: Arc::clone(&self.context.deployment),
            index,
            item,
        }
    }

    fn name(&self, unit: Unit) -> String {
        self.context.deployment.steps[unit.step].name.clone()
    }

    fn started(&self, unit: Unit, attempt: u32) {
        let (step, item) = (self.name(unit), unit.item);
        // Before it is launched: whoever resumes the run gives its number to nobody else.
        let at = self.context.note(EventKind::AttemptStarted { step, item, attempt });
        self.begun().insert(unit, (attempt, at));
        self.index.record(Change::StepStarted { step: self.step(unit), attempt, at });
    }

    /// Records an attempt that failed, and writes its record if its launcher could not.
    fn failed(&self, unit: Unit, attempt: u32, failure: &Failure) {
        let begun = self.begun().get(&unit).copied().filter(|(number, _)| *number == attempt);
        let began = begun.map(|(_, at)| at);
        let result = Arc::new(record_lost(&self.context, unit, attempt, failure, began));
        self.index.record(Change::StepEnded { step: self.step(unit), result });
    }

    /// Records an attempt that was cancelled as its step runner did, if it left a record: it may
    /// have failed by itself meanwhile.
    fn cancelled(&self, unit: Unit, attempt: u32) {
        let step = &self.context.deployment.steps[unit.step];
        let documents = Documents::new(&*self.context.store);
        let left = documents.result(&self.context.run_id, unit, &step.name, attempt);
        let Ok(Some(result)) = left else { return };
        let is_due =
            result.status == StepStatus::Failed && step.config.retry.wait_after(attempt).is_some();
        self.index.record(Change::StepEnded { step: self.step(unit), result: Arc::new(result) });
        if is_due {
            self.index.record(Change::StepRetrying { step: self.step(unit) });
        }
    }

    /// Records a step that ended without a result. An item that never began needs no record: what
    /// became of it follows from the run's end.
    fn ended_otherwise(&self, unit: Unit, status: StepStatus, reason: &str) {
        let step = self.step(unit);
        let attempt = self.begun().remove(&unit);
        let is_silent = unit.item.is_some() && attempt.is_none();
        match status {
            StepStatus::Skipped if !is_silent => {
                let (name, reason) = (self.name(unit), reason.to_owned());
                self.context.note(EventKind::StepSkipped { step: name, reason: reason.clone() });
                self.index.record(Change::StepSkipped { step, reason });
            }
            StepStatus::Cancelled if !is_silent => {
                if let Some((number, _)) = attempt {
                    self.cancelled(unit, number);
                }
                let event = EventKind::StepCancelled { step: self.name(unit), item: unit.item };
                let at = self.context.note(event);
                self.index.record(Change::StepCancelled { step, at });
            }
            _ => {}
        }
    }
}

impl Observer for Recorder {
    fn on(&self, event: &RunEvent) {
        match event {
            RunEvent::StepExpanded { step, items, .. } => {
                let (unit, items) = (Unit::from(*step), *items);
                self.context.note(EventKind::StepExpanded { step: self.name(unit), items });
                self.index.record(Change::StepExpanded { step: self.step(unit), items });
            }
            RunEvent::StepStarted { step, item, attempt } => {
                self.started(Unit { step: *step, item: *item }, *attempt);
            }
            RunEvent::AttemptFailed { step, item, attempt, failure, retry_in } => {
                let unit = Unit { step: *step, item: *item };
                self.failed(unit, *attempt, failure);
                if retry_in.is_some() {
                    self.index.record(Change::StepRetrying { step: self.step(unit) });
                }
            }
            RunEvent::StepEnded { step, item, result: Some(result), .. } => {
                let unit = Unit { step: *step, item: *item };
                self.begun().remove(&unit);
                let (step, result) = (self.step(unit), Arc::clone(result));
                self.index.record(Change::StepEnded { step, result });
            }
            RunEvent::StepEnded { step, item, failure: Some(failure), .. }
                if !self.begun().contains_key(&Unit { step: *step, item: *item }) =>
            {
                // It failed before any attempt, or it is mapped and an item failed.
                let unit = Unit { step: *step, item: *item };
                self.failed(unit, self.first_attempts.of(unit), failure);
            }
            RunEvent::StepEnded { step, item, status, because, .. } => {
                let unit = Unit { step: *step, item: *item };
                self.ended_otherwise(unit, *status, because.as_deref().unwrap_or_default());
            }
            RunEvent::CancelRequested => {
                self.context.note(EventKind::CancelRequested);
            }
            RunEvent::HeldBack { .. } | RunEvent::RunEnded { .. } => {}
        }
    }
}
