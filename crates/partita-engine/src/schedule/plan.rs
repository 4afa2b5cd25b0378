//! All that the scheduler knows of a run before it begins.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::time::Duration;

use partita_core::deployment::{Deployment, Step};
use partita_core::launcher::Unit;
use partita_core::settings::{Amounts, FailureMode, Retry};

use super::graph::{Graph, InvalidGraph};

static NO_LIMITS: BTreeMap<String, u32> = BTreeMap::new();

/// What is to be run, and by which rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Which step waits for which.
    pub graph: Graph,
    /// The rules of each step, by number; as many as the graph has steps.
    pub steps: Vec<StepPlan>,
    /// The items of mapped steps that had begun before a run is resumed.
    pub begun_items: HashMap<Unit, BegunItem>,
    /// What becomes of the run when a step has failed.
    pub failure_mode: FailureMode,
    /// The places where attempts run, at least one.
    pub pools: Vec<Pool>,
}

/// A place where attempts run: one orchestrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// How many attempts may run at once.
    pub max_parallelism: NonZeroUsize,
    /// What the attempts that run at once may ask for together.
    pub supply: Amounts,
    /// How long a cancelled attempt may take to end before it is given up.
    pub grace: Duration,
}

impl Pool {
    /// The time that a cancelled attempt has where its pool does not say.
    pub const GRACE: Duration = Duration::from_secs(30);

    /// Returns a pool that bounds nothing but how many attempts run at once.
    pub fn of(max_parallelism: NonZeroUsize) -> Self {
        Self { max_parallelism, supply: Amounts::BOUNDLESS, grace: Self::GRACE }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::of(NonZeroUsize::MAX)
    }
}

/// How far an item had come before its run is resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BegunItem {
    /// The number of its next attempt.
    pub first_attempt: u32,
    /// Whether it is committed; then it counts as completed and never runs.
    pub committed: bool,
}

/// The rules of one step, and of each item of a mapped one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepPlan {
    /// How a failed attempt is retried.
    pub retry: Retry,
    /// The longest time that an attempt may take.
    pub timeout: Option<Duration>,
    /// The number of the first attempt; more than 1 where a run is resumed.
    pub first_attempt: u32,
    /// The number of the pool where it runs.
    pub pool: usize,
    /// What an attempt holds of the pool's supply while it runs; more than there is counts as all.
    pub needs: Amounts,
    /// A number for the limits that it keeps to: the same for steps with the same limits, 0 for none.
    pub limits: u32,
    /// Whether the step was committed before; then it counts as completed and never runs.
    pub committed: bool,
    /// Whether it is mapped: not run itself, but in items that are known once it may begin.
    pub mapped: bool,
}

impl Default for StepPlan {
    fn default() -> Self {
        Self {
            retry: Retry::default(),
            timeout: None,
            first_attempt: 1,
            pool: 0,
            needs: Amounts::default(),
            limits: 0,
            committed: false,
            mapped: false,
        }
    }
}

impl Plan {
    /// Returns the plan of a deployment that nothing has run of yet; `pools` are the orchestrators
    /// of its stack, in order.
    ///
    /// # Errors
    /// If its steps cannot be put in order.
    pub fn of<'d>(deployment: &'d Deployment, pools: Vec<Pool>) -> Result<Self, InvalidGraph> {
        let orchestrators = &deployment.stack.orchestrators;
        let pool = |name: &Option<String>| {
            let named = orchestrators.iter().position(|other| Some(&other.name) == name.as_ref());
            named.filter(|&pool| pool < pools.len()).unwrap_or(0)
        };
        let mut limits = HashMap::from([(&NO_LIMITS, 0)]);
        let mut limits_of = |step: &'d Step| {
            let next = limits.len() as u32;
            *limits.entry(&step.config.limits).or_insert(next)
        };
        let steps = deployment.steps.iter().map(|step| StepPlan {
            limits: limits_of(step),
            retry: step.config.retry,
            timeout: step.config.timeout.and_then(|t| Duration::try_from_secs_f64(t.0).ok()),
            pool: pool(&step.config.orchestrator),
            needs: step.config.resources.amounts(),
            mapped: step.map_over.is_some(),
            ..StepPlan::default()
        });
        Ok(Self {
            graph: Graph::of(deployment)?,
            steps: steps.collect(),
            begun_items: HashMap::new(),
            failure_mode: deployment.pipeline.failure_mode,
            pools,
        })
    }
}

impl StepPlan {
    /// Returns the wait before the attempt that follows `attempt`, or `None` if that was the last.
    pub(crate) fn wait_after(&self, attempt: u32) -> Option<Duration> {
        let failures = attempt.checked_sub(self.first_attempt)?.checked_add(1)?;
        attempt.checked_add(1)?;
        let seconds = self.retry.wait_after(failures)?;
        Some(Duration::try_from_secs_f64(seconds).unwrap_or_default())
    }
}
