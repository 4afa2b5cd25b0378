//! What the driver tells of a run while it goes on, and at its end.

use std::sync::Arc;

use partita_core::run::{Failure, StepResult};
use partita_core::status::{RunStatus, StepStatus};

use super::limits::Reached;
use crate::schedule::Counts;

/// Follows a run: the index writer, the event log and the progress display are observers.
///
/// Called on the driver's thread, in order; whatever takes long is handed to another thread.
pub trait Observer: Send + Sync {
    /// Takes note of something that happened.
    fn on(&self, event: &RunEvent);
}

/// Something that happened in a run.
#[derive(Debug, Clone)]
pub enum RunEvent {
    /// A mapped step has got its size.
    StepExpanded {
        /// The step.
        step: usize,
        /// How many items it has.
        items: u32,
        /// How many of them were committed before this engine took the run.
        committed: u32,
    },
    /// An attempt is about to be handed to its launcher.
    StepStarted {
        /// The step.
        step: usize,
        /// The item, if the step is mapped.
        item: Option<u32>,
        /// The attempt's number.
        attempt: u32,
    },
    /// A step, or an item of one, waits for a place under a limit, and nothing else of the run goes
    /// on; told once for each limit.
    HeldBack {
        /// The step.
        step: usize,
        /// The item, if the step is mapped.
        item: Option<u32>,
        /// What it waits for.
        reached: Reached,
    },
    /// An attempt failed.
    AttemptFailed {
        /// The step.
        step: usize,
        /// The item, if the step is mapped.
        item: Option<u32>,
        /// The attempt's number.
        attempt: u32,
        /// What went wrong.
        failure: Arc<Failure>,
        /// The seconds until the next attempt; `None` if there is none.
        retry_in: Option<f64>,
    },
    /// A step, or an item of a mapped one, has its last status in this run.
    StepEnded {
        /// The step.
        step: usize,
        /// The item, if it is one that has ended.
        item: Option<u32>,
        /// `completed`, `cached`, `failed`, `skipped` or `cancelled`.
        status: StepStatus,
        /// Its result, if it is completed or cached.
        result: Option<Arc<StepResult>>,
        /// What went wrong, if it failed.
        failure: Option<Arc<Failure>>,
        /// Why it ended, in words, where the reason lies outside of it.
        because: Option<Arc<str>>,
    },
    /// Someone asked for the run to stop.
    CancelRequested,
    /// The run is over; the last event.
    RunEnded {
        /// `completed`, `failed` or `cancelled`.
        status: RunStatus,
        /// What went wrong, in one paragraph.
        error: Option<String>,
    },
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct RunOutcome {
    /// `completed`, `failed` or `cancelled`. A run that someone cancelled is `cancelled` even where
    /// a step had failed before.
    pub status: RunStatus,
    /// What went wrong, in one paragraph.
    pub error: Option<String>,
    /// The steps that failed, in the order in which they did.
    pub failed: Vec<(usize, Arc<Failure>)>,
    /// How many steps and items have which status; those that were committed before the run was
    /// resumed are completed.
    pub counts: Counts,
}
