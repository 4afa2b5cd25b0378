//! What happens to a run, as the index is told of it.
//!
//! Live runs tell it as it happens and [`super::replay`] tells it again from the documents, so
//! whatever is recorded here must come with the times that the documents have.

use std::sync::Arc;

use partita_core::deployment::Deployment;
use partita_core::run::{RunEnd, RunHeader, StepResult};
use partita_core::status::RunStatus;
use partita_core::time::Timestamp;

/// A run as it begins.
#[derive(Debug, Clone)]
pub struct RunStart {
    /// Its header, as in `run.json`.
    pub header: RunHeader,
    /// What it executes; absent where that document cannot be read.
    pub deployment: Option<Arc<Deployment>>,
    /// The URI of the artifact store that holds its documents.
    pub store: String,
    /// `initializing`, `submitted` or `running`.
    pub status: RunStatus,
}

/// A step of a run, or one item of a mapped one.
#[derive(Debug, Clone)]
pub struct StepRun {
    /// The run.
    pub run_id: Arc<str>,
    /// What the run executes.
    pub deployment: Arc<Deployment>,
    /// The step, as an index into the deployment's steps.
    pub index: usize,
    /// The item, if it is one of a mapped step.
    pub item: Option<u32>,
}

impl StepRun {
    /// Returns the step's name, or nothing for an index that no step has.
    pub fn name(&self) -> &str {
        self.deployment.steps.get(self.index).map_or("", |step| &step.name)
    }
}

/// Something that happened in a run.
#[derive(Debug, Clone)]
pub enum Change {
    /// A mapped step got its size.
    StepExpanded {
        /// The step.
        step: StepRun,
        /// How many items it has.
        items: u32,
    },
    /// An attempt was handed to its launcher.
    StepStarted {
        /// The step.
        step: StepRun,
        /// The attempt's number, from 1.
        attempt: u32,
        /// When.
        at: Timestamp,
    },
    /// The last attempt failed and another one is due.
    StepRetrying {
        /// The step.
        step: StepRun,
    },
    /// An attempt ended, or the step was taken from the cache.
    StepEnded {
        /// The step.
        step: StepRun,
        /// Its commit if it succeeded, else the attempt's result.
        result: Arc<StepResult>,
    },
    /// The step will not run.
    StepSkipped {
        /// The step.
        step: StepRun,
        /// Why.
        reason: String,
    },
    /// The step was cancelled before or while it ran.
    StepCancelled {
        /// The step.
        step: StepRun,
        /// When.
        at: Timestamp,
    },
    /// An engine took the run up again.
    RunResumed {
        /// The run.
        run_id: Arc<str>,
    },
    /// The orchestrator said what it calls the run.
    RunIdentified {
        /// The run.
        run_id: Arc<str>,
        /// Its id there, as in `run.json`.
        orchestrator_run_id: String,
    },
    /// The run was submitted, and nothing of it has begun.
    RunSubmitted {
        /// The run.
        run_id: Arc<str>,
    },
    /// The run's engine died, or its documents do not say how it ended.
    RunInterrupted {
        /// The run.
        run_id: Arc<str>,
        /// What is wrong with its documents, if anything.
        error: Option<String>,
    },
    /// The run ended.
    RunEnded {
        /// The run.
        run_id: Arc<str>,
        /// How.
        end: RunEnd,
    },
    /// Something was noted about the run as a whole.
    RunMetadata {
        /// The run.
        run_id: Arc<str>,
        /// The key.
        key: String,
        /// The value as JSON text.
        value: String,
    },
}

impl Change {
    /// Returns the run that it happened to.
    pub fn run_id(&self) -> &str {
        match self {
            Self::StepStarted { step, .. }
            | Self::StepExpanded { step, .. }
            | Self::StepRetrying { step }
            | Self::StepEnded { step, .. }
            | Self::StepSkipped { step, .. }
            | Self::StepCancelled { step, .. } => &step.run_id,
            Self::RunResumed { run_id }
            | Self::RunSubmitted { run_id }
            | Self::RunIdentified { run_id, .. }
            | Self::RunInterrupted { run_id, .. }
            | Self::RunEnded { run_id, .. }
            | Self::RunMetadata { run_id, .. } => run_id,
        }
    }
}

/// A whole run: how it began and everything that happened since.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// How it began.
    pub start: RunStart,
    /// What happened, in order.
    pub changes: Vec<Change>,
}
