//! What listens to the driver in every run: the index and the run's own record of events.

use std::sync::Arc;

use partita_core::run::{EventKind, Failure, StepResult, VERSION};
use partita_core::status::StepStatus;

use crate::clock;
use crate::drive::{Observer, RunEvent};
use crate::metadata::{Change, IndexWriter, StepRun};
use crate::step_runner::RunContext;
use crate::store::Documents;

/// Tells the index what happens.
pub(super) struct IndexObserver {
    context: Arc<RunContext>,
    index: Arc<IndexWriter>,
}

impl IndexObserver {
    pub(super) fn new(context: Arc<RunContext>, index: Arc<IndexWriter>) -> Self {
        Self { context, index }
    }

    fn step(&self, index: usize) -> StepRun {
        StepRun {
            run_id: Arc::clone(&self.context.run_id),
            deployment: Arc::clone(&self.context.deployment),
            index,
        }
    }

    /// Returns the record of an attempt that failed, as its launcher wrote it, or as it would be
    /// if the launcher could not.
    fn failed_result(&self, step: usize, attempt: u32, failure: &Failure) -> Arc<StepResult> {
        let name = &self.context.deployment.steps[step].name;
        let written = Documents::new(&*self.context.store).result(&self.context.run_id, step, name, attempt);
        Arc::new(written.ok().flatten().unwrap_or_else(|| StepResult {
            version: VERSION,
            run_id: self.context.run_id.to_string(),
            step: name.clone(),
            attempt,
            status: StepStatus::Failed,
            started_at: clock::now(),
            ended_at: clock::now(),
            inputs: Default::default(),
            outputs: Default::default(),
            cache_key: None,
            cache_reason: None,
            cached_from: None,
            error: Some(failure.clone()),
            metadata: Default::default(),
        }))
    }
}

impl Observer for IndexObserver {
    fn on(&self, event: &RunEvent) {
        match event {
            RunEvent::StepStarted { step, attempt } => {
                let (step, attempt) = (self.step(*step), *attempt);
                self.index.record(Change::StepStarted { step, attempt, at: clock::now() });
            }
            RunEvent::AttemptFailed { step, attempt, failure, retry_in } => {
                let result = self.failed_result(*step, *attempt, failure);
                self.index.record(Change::StepEnded { step: self.step(*step), result });
                if retry_in.is_some() {
                    self.index.record(Change::StepRetrying { step: self.step(*step) });
                }
            }
            RunEvent::StepEnded { step, result: Some(result), .. } => {
                let (step, result) = (self.step(*step), Arc::clone(result));
                self.index.record(Change::StepEnded { step, result });
            }
            RunEvent::StepEnded { step, status: StepStatus::Skipped, because, .. } => {
                let reason = because.map(|because| because.reason(&self.context.deployment)).unwrap_or_default();
                self.index.record(Change::StepSkipped { step: self.step(*step), reason });
            }
            RunEvent::StepEnded { step, status: StepStatus::Cancelled, .. } => {
                self.index.record(Change::StepCancelled { step: self.step(*step), at: clock::now() });
            }
            RunEvent::StepEnded { .. } | RunEvent::CancelRequested | RunEvent::RunEnded { .. } => {}
        }
    }
}

/// Writes down what no result says: skipped and cancelled steps, and requests to cancel.
pub(super) struct EventRecorder {
    context: Arc<RunContext>,
}

impl EventRecorder {
    pub(super) fn new(context: Arc<RunContext>) -> Self {
        Self { context }
    }

    fn name(&self, step: usize) -> String {
        self.context.deployment.steps[step].name.clone()
    }
}

impl Observer for EventRecorder {
    fn on(&self, event: &RunEvent) {
        match event {
            RunEvent::StepEnded { step, status: StepStatus::Skipped, because, .. } => {
                let reason = because.map(|because| because.reason(&self.context.deployment)).unwrap_or_default();
                self.context.note(EventKind::StepSkipped { step: self.name(*step), reason });
            }
            RunEvent::StepEnded { step, status: StepStatus::Cancelled, .. } => {
                self.context.note(EventKind::StepCancelled { step: self.name(*step) });
            }
            RunEvent::CancelRequested => self.context.note(EventKind::CancelRequested),
            _ => {}
        }
    }
}
