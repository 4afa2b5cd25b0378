//! All that the scheduler knows of a run before it begins.

use std::num::NonZeroUsize;
use std::time::Duration;

use partita_core::deployment::Deployment;
use partita_core::settings::{FailureMode, Retry};

use super::graph::{Graph, InvalidGraph};

/// What is to be run, and by which rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Which step waits for which.
    pub graph: Graph,
    /// The rules of each step, by number; as many as the graph has steps.
    pub steps: Vec<StepPlan>,
    /// What becomes of the run when a step has failed.
    pub failure_mode: FailureMode,
    /// How many attempts may run at once.
    pub max_parallelism: NonZeroUsize,
    /// How long a cancelled attempt may take to end before it is given up.
    pub grace: Duration,
}

/// The rules of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepPlan {
    /// How a failed attempt is retried.
    pub retry: Retry,
    /// The longest time that an attempt may take.
    pub timeout: Option<Duration>,
    /// The number of the first attempt; more than 1 where a run is resumed.
    pub first_attempt: u32,
    /// Whether the step was committed before; then it counts as completed and never runs.
    pub committed: bool,
}

impl Default for StepPlan {
    fn default() -> Self {
        Self { retry: Retry::default(), timeout: None, first_attempt: 1, committed: false }
    }
}

impl Plan {
    /// The time that a cancelled attempt has to end.
    pub const GRACE: Duration = Duration::from_secs(30);

    /// Returns the plan of a deployment that nothing has run of yet.
    ///
    /// # Errors
    /// If its steps cannot be put in order.
    pub fn of(
        deployment: &Deployment,
        max_parallelism: NonZeroUsize,
    ) -> Result<Self, InvalidGraph> {
        let steps = deployment.steps.iter().map(|step| StepPlan {
            retry: step.config.retry,
            timeout: step.config.timeout.and_then(|t| Duration::try_from_secs_f64(t.0).ok()),
            ..StepPlan::default()
        });
        Ok(Self {
            graph: Graph::of(deployment)?,
            steps: steps.collect(),
            failure_mode: deployment.pipeline.failure_mode,
            max_parallelism,
            grace: Self::GRACE,
        })
    }
}

impl StepPlan {
    /// Returns the wait before the attempt that follows `attempt`, or `None` if that was the last.
    pub(super) fn wait_after(&self, attempt: u32) -> Option<Duration> {
        let failures = attempt.checked_sub(self.first_attempt)?.checked_add(1)?;
        attempt.checked_add(1)?;
        let seconds = self.retry.wait_after(failures)?;
        Some(Duration::try_from_secs_f64(seconds).unwrap_or_default())
    }
}
