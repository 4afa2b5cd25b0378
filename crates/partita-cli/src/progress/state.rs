//! What is known of a run while it is shown.

use std::sync::Arc;
use std::time::Instant;

use indexmap::IndexMap;
use partita_core::deployment::Deployment;
use partita_core::status::StepStatus;
use partita_engine::drive::RunEvent;

/// A run as far as it has come.
pub(super) struct State {
    pub(super) deployment: Arc<Deployment>,
    pub(super) run_name: String,
    pub(super) started: Instant,
    ended: Option<Instant>,
    /// The steps that run now, with when they began, in that order.
    pub(super) running: IndexMap<usize, Instant>,
    pub(super) tally: Tally,
    pub(super) is_cancelling: bool,
    /// Steps that were finished before this engine took the run up.
    pub(super) finished_before: usize,
    /// Whether the run's code can be loaded again, so that the run can be resumed.
    pub(super) can_resume: bool,
    /// The first step that failed, with its last attempt.
    pub(super) failed: Option<(usize, u32)>,
    last_attempt: u32,
    /// Seconds that the step which ended last took.
    pub(super) last_took: f64,
}

/// How many steps ended how.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) completed: usize,
    pub(super) cached: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
    pub(super) cancelled: usize,
}

impl Tally {
    fn add(&mut self, status: StepStatus) {
        match status {
            StepStatus::Completed => self.completed += 1,
            StepStatus::Cached => self.cached += 1,
            StepStatus::Failed => self.failed += 1,
            StepStatus::Skipped => self.skipped += 1,
            StepStatus::Cancelled => self.cancelled += 1,
            StepStatus::Waiting | StepStatus::Running | StepStatus::Retrying => {}
        }
    }
}

impl State {
    pub(super) fn new(deployment: Arc<Deployment>, run_name: &str) -> Self {
        Self {
            deployment,
            run_name: run_name.to_owned(),
            started: Instant::now(),
            ended: None,
            running: IndexMap::new(),
            tally: Tally::default(),
            is_cancelling: false,
            finished_before: 0,
            can_resume: true,
            failed: None,
            last_attempt: 0,
            last_took: 0.0,
        }
    }

    /// Takes note of what happened, and when.
    pub(super) fn note(&mut self, event: &RunEvent, at: Instant) {
        match event {
            RunEvent::StepStarted { step, .. } => {
                self.running.insert(*step, at);
            }
            RunEvent::AttemptFailed { step, attempt, .. } => {
                self.last_attempt = *attempt;
                self.end_attempt(*step, at);
            }
            RunEvent::StepEnded { step, status, .. } => {
                // A failed attempt has ended already.
                if *status != StepStatus::Failed || self.running.contains_key(step) {
                    self.end_attempt(*step, at);
                }
                self.tally.add(*status);
                if *status == StepStatus::Failed {
                    self.failed.get_or_insert((*step, self.last_attempt));
                }
            }
            RunEvent::CancelRequested => self.is_cancelling = true,
            RunEvent::RunEnded { .. } => {
                self.running.clear();
                self.ended = Some(at);
            }
        }
    }

    fn end_attempt(&mut self, step: usize, at: Instant) {
        let began = self.running.shift_remove(&step);
        self.last_took = began.map_or(0.0, |began| (at - began).as_secs_f64());
    }

    /// Returns how many steps have ended, in this execution or before it.
    pub(super) fn ended(&self) -> usize {
        let tally = &self.tally;
        let ended = tally.completed + tally.cached + tally.failed + tally.skipped + tally.cancelled;
        self.finished_before + ended
    }

    /// Returns the name of a step.
    pub(super) fn name(&self, step: usize) -> &str {
        self.deployment.steps.get(step).map_or("?", |step| &step.name)
    }

    /// Returns the seconds since the run began, or that it took.
    pub(super) fn seconds(&self) -> f64 {
        (self.ended.unwrap_or_else(Instant::now) - self.started).as_secs_f64()
    }
}
