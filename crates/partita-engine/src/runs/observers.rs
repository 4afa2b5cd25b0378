//! What listens to the driver in every run: it tells the index, and writes down what no result says.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use partita_core::run::{EventKind, Failure, StepResult};
use partita_core::status::StepStatus;

use crate::drive::{Observer, RunEvent};
use crate::metadata::{Change, IndexWriter, StepRun};
use crate::step_runner::{RunContext, record_lost};
use crate::store::Documents;

/// Records a run in its index and in its events, with the same times in both.
pub(super) struct Recorder {
    context: Arc<RunContext>,
    index: Arc<IndexWriter>,
    /// The last attempt of each step that has begun and not ended.
    begun: Mutex<HashMap<usize, u32>>,
}

impl Recorder {
    pub(super) fn new(context: Arc<RunContext>, index: Arc<IndexWriter>) -> Self {
        Self { context, index, begun: Mutex::default() }
    }

    fn begun(&self) -> MutexGuard<'_, HashMap<usize, u32>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, index: usize) -> StepRun {
        StepRun {
            run_id: Arc::clone(&self.context.run_id),
            deployment: Arc::clone(&self.context.deployment),
            index,
        }
    }

    fn name(&self, step: usize) -> String {
        self.context.deployment.steps[step].name.clone()
    }

    /// Returns the record of an attempt that failed, and writes it if its launcher could not.
    fn failed(&self, step: usize, attempt: u32, failure: &Failure) -> Arc<StepResult> {
        Arc::new(record_lost(&self.context, step, attempt, failure))
    }

    /// Returns the record of an attempt that was interrupted, if its step runner left one.
    fn interrupted(&self, step: usize, attempt: u32) -> Option<Arc<StepResult>> {
        let name = &self.context.deployment.steps[step].name;
        let documents = Documents::new(&*self.context.store);
        let result = documents.result(&self.context.run_id, step, name, attempt).ok()??;
        (result.status == StepStatus::Cancelled).then(|| Arc::new(result))
    }

    fn ended_otherwise(
        &self,
        index: usize,
        attempt: Option<u32>,
        status: StepStatus,
        reason: String,
    ) {
        let step = self.step(index);
        match status {
            StepStatus::Skipped => {
                self.context.note(EventKind::StepSkipped {
                    step: self.name(index),
                    reason: reason.clone(),
                });
                self.index.record(Change::StepSkipped { step, reason });
            }
            StepStatus::Cancelled => {
                if let Some(result) = attempt.and_then(|number| self.interrupted(index, number)) {
                    self.index.record(Change::StepEnded { step: step.clone(), result });
                }
                let at = self.context.note(EventKind::StepCancelled { step: self.name(index) });
                self.index.record(Change::StepCancelled { step, at });
            }
            _ => {}
        }
    }
}

impl Observer for Recorder {
    fn on(&self, event: &RunEvent) {
        match event {
            RunEvent::StepStarted { step, attempt } => {
                self.begun().insert(*step, *attempt);
                let (name, attempt) = (self.name(*step), *attempt);
                // Before it is launched: whoever resumes the run gives its number to nobody else.
                let at = self.context.note(EventKind::AttemptStarted { step: name, attempt });
                self.index.record(Change::StepStarted { step: self.step(*step), attempt, at });
            }
            RunEvent::AttemptFailed { step, attempt, failure, retry_in } => {
                let result = self.failed(*step, *attempt, failure);
                self.index.record(Change::StepEnded { step: self.step(*step), result });
                if retry_in.is_some() {
                    self.index.record(Change::StepRetrying { step: self.step(*step) });
                }
            }
            RunEvent::StepEnded { step, result: Some(result), .. } => {
                self.begun().remove(step);
                let (step, result) = (self.step(*step), Arc::clone(result));
                self.index.record(Change::StepEnded { step, result });
            }
            RunEvent::StepEnded { step, status, because, .. } => {
                let reason = because.map(|because| because.reason(&self.context.deployment));
                let attempt = self.begun().remove(step);
                self.ended_otherwise(*step, attempt, *status, reason.unwrap_or_default());
            }
            RunEvent::CancelRequested => {
                self.context.note(EventKind::CancelRequested);
            }
            RunEvent::RunEnded { .. } => {}
        }
    }
}
