//! What is known of a run while it is shown.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use indexmap::IndexMap;
use partita_core::deployment::Deployment;
use partita_core::launcher::Unit;
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
    /// How the items of each mapped step fare.
    pub(super) maps: HashMap<usize, Items>,
    pub(super) tally: Tally,
    pub(super) is_cancelling: bool,
    /// Steps that were finished before this engine took the run up.
    pub(super) finished_before: usize,
    /// Whether the run's code can be loaded again, so that the run can be resumed.
    pub(super) can_resume: bool,
    /// The first step or item that failed, with its last attempt.
    pub(super) failed: Option<(Unit, u32)>,
    last_attempt: u32,
    /// Seconds that the step which ended last took.
    pub(super) last_took: f64,
}

/// How many items of a mapped step there are, and how many of them ended how.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Items {
    pub(super) count: usize,
    /// Those that were committed before this engine took the run up.
    pub(super) committed: usize,
    pub(super) tally: Tally,
    /// Attempts that began.
    pub(super) launches: usize,
    /// Failures of attempts that were told of.
    pub(super) failures: usize,
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

impl Items {
    /// Returns how many have ended, in this execution or before it.
    pub(super) fn ended(&self) -> usize {
        self.committed + self.tally.ended()
    }
}

impl Tally {
    pub(super) fn ended(&self) -> usize {
        self.completed + self.cached + self.failed + self.skipped + self.cancelled
    }

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
            maps: HashMap::new(),
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
            RunEvent::StepExpanded { step, items, committed } => {
                self.running.insert(*step, at);
                let items = Items {
                    count: *items as usize,
                    committed: *committed as usize,
                    ..Items::default()
                };
                self.maps.insert(*step, items);
            }
            RunEvent::StepStarted { step, item: None, .. } => {
                self.running.insert(*step, at);
            }
            RunEvent::StepStarted { step, item: Some(_), .. } => {
                self.maps.entry(*step).or_default().launches += 1; // Its step runs already.
            }
            RunEvent::HeldBack { .. } => {}
            RunEvent::AttemptFailed { step, item, attempt, .. } => {
                self.last_attempt = *attempt;
                if item.is_none() {
                    self.end_attempt(*step, at);
                } else if let Some(items) = self.maps.get_mut(step) {
                    items.failures += 1;
                }
            }
            RunEvent::StepEnded { step, item, status, .. } => {
                self.note_end(Unit { step: *step, item: *item }, *status, at);
            }
            RunEvent::CancelRequested => self.is_cancelling = true,
            RunEvent::RunEnded { .. } => {
                self.running.clear();
                self.ended = Some(at);
            }
        }
    }

    fn note_end(&mut self, unit: Unit, status: StepStatus, at: Instant) {
        if status == StepStatus::Failed {
            self.failed.get_or_insert((unit, self.last_attempt));
        }
        let Unit { step, item } = unit;
        if item.is_some() {
            self.maps.entry(step).or_default().tally.add(status);
            return;
        }
        // A failed attempt has ended already.
        if status != StepStatus::Failed || self.running.contains_key(&step) {
            self.end_attempt(step, at);
        }
        self.tally.add(status);
    }

    fn end_attempt(&mut self, step: usize, at: Instant) {
        let began = self.running.shift_remove(&step);
        self.last_took = began.map_or(0.0, |began| (at - began).as_secs_f64());
    }

    /// Returns how many steps have ended, in this execution or before it.
    pub(super) fn ended(&self) -> usize {
        self.finished_before + self.tally.ended()
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
