//! The step launcher: the smallest kind of orchestrator.

use std::fmt;
use std::sync::Arc;

use crate::deployment::{Deployment, Program, Step};
use crate::run::{Failure, StepResult};

/// What is run on its own: a step, or one item of a mapped step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit {
    /// The step, as an index into the deployment's steps.
    pub step: usize,
    /// The item, from 0, if the step is mapped and this is one of its items.
    pub item: Option<u32>,
}

impl Unit {
    /// Returns one item of a mapped step.
    pub fn item(step: usize, item: u32) -> Self {
        Self { step, item: Some(item) }
    }
}

impl fmt::Display for Unit {
    /// Writes it as in the ids of attempts: `2`, or `2.7` for an item.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.item {
            None => write!(f, "{}", self.step),
            Some(item) => write!(f, "{}.{item}", self.step),
        }
    }
}

impl From<usize> for Unit {
    fn from(step: usize) -> Self {
        Self { step, item: None }
    }
}

/// One try at one step of a run.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The deployment that is executed.
    pub deployment: Arc<Deployment>,
    /// The run.
    pub run_id: Arc<str>,
    /// The step, as an index into the deployment's steps.
    pub step: usize,
    /// The item, from 0, if the step is mapped.
    pub item: Option<u32>,
    /// The attempt's number, from 1.
    pub number: u32,
    /// Why the step was not cached, for its record.
    pub cache_reason: Option<Arc<str>>,
    /// Whether no attempt follows if this one fails.
    pub is_last: bool,
}

impl Attempt {
    /// Returns the step it runs.
    pub fn step(&self) -> &Step {
        &self.deployment.steps[self.step]
    }

    /// Returns the program that its step is entered by, if that is not Python.
    pub fn program(&self) -> Option<&Program> {
        self.deployment.program_of(self.step())
    }

    /// Returns the step, or the item of it, that it runs.
    pub fn unit(&self) -> Unit {
        Unit { step: self.step, item: self.item }
    }

    /// Returns the id that backends carry, so that `find` works: `RUN/STEP-INDEX[.ITEM]/NUMBER`.
    pub fn id(&self) -> String {
        format!("{}/{}/{}", self.run_id, self.unit(), self.number)
    }
}

/// The word that tells a program to run one of its steps.
pub const PROGRAM_ENTRYPOINT: &str = "entrypoint";

/// The word that tells a program to end what its parent leaves behind of a run.
pub const PROGRAM_WATCHER: &str = "watcher";

/// What is found in a program that has pipelines, so that nothing else is started as one.
pub const PROGRAM_MARK: &str = "partita program: its pipelines are run as `PROGRAM run PIPELINE`";

/// The module that Python steps are entered by.
pub const PYTHON_ENTRYPOINT: &str = "partita.entrypoints.entrypoint";

/// The class that enters a step where its orchestrator names none.
pub const ENTRYPOINT_CONFIG_SOURCE: &str = "partita.entrypoints.StepEntrypointConfiguration";

/// The environment variable in which a launcher says what the options of an entrypoint do not.
pub const TERMS_VARIABLE: &str = "PARTITA_ATTEMPT";

/// What an entrypoint calls its standard input, where the values of secrets come through it.
pub const STANDARD_INPUT: &str = "-";

/// Returns the options that the step entrypoints of a run have in common, with the artifact store at
/// the URI `artifact_store`.
pub fn run_arguments(artifact_store: &str, deployment_id: &str, run_id: &str) -> Vec<String> {
    let options = [
        ("entrypoint_config_source", ENTRYPOINT_CONFIG_SOURCE),
        ("artifact_store", artifact_store),
        ("deployment_id", deployment_id),
        ("run_id", run_id),
    ];
    options.iter().map(|(name, value)| format!("--{name}={value}")).collect()
}

impl Attempt {
    /// Returns the options of the step entrypoint that makes this attempt, with the artifact store
    /// at the URI `artifact_store`.
    pub fn entrypoint_arguments(&self, artifact_store: &str) -> Vec<String> {
        let mut arguments = run_arguments(artifact_store, &self.deployment.id, &self.run_id);
        arguments.push(format!("--step_name={}", self.step().name));
        arguments.push(format!("--attempt={}", self.number));
        arguments.extend(self.item.map(|item| format!("--item={item}")));
        arguments
    }
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Its step is committed; the result, where the launcher has it at hand.
    Completed(Option<Arc<StepResult>>),
    /// It failed and may be retried.
    Failed(Failure),
    /// It failed, and no other attempt at it can be made.
    GaveUp(Failure),
    /// It was cancelled, by the engine or by an interrupt; it is not retried.
    Cancelled,
}

/// What a launcher calls when it learns, by itself, that an attempt has ended.
pub trait Reports: Send + Sync {
    /// Reports the end of the attempt `number` of a step or an item. Repeated and late reports are
    /// ignored.
    fn ended(&self, unit: Unit, number: u32, outcome: Outcome);

    /// Reports that an attempt is taken that was put off (see [`StepLauncher::takes`]): one at this
    /// step, given as an index into the deployment's steps, or every one.
    fn asked(&self, step: Option<usize>);
}

/// A backend's name for a launched attempt.
pub type Job = String;

/// Where a launched attempt stands.
#[derive(Debug, Clone)]
pub enum JobStatus {
    /// It waits or runs.
    Active,
    /// It has ended.
    Ended(Outcome),
}

/// Why a launcher could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LaunchError {
    /// The backend cannot be reached; the same call may succeed later.
    #[error("{0}")]
    Unreachable(String),
    /// The backend refuses.
    #[error("{0}")]
    Refused(String),
}

/// Starts steps one by one, knows how they stand, and cancels them; the engine does the rest.
///
/// A launcher that learns of ends by itself says so through `reports` and never blocks in
/// `launch`; one that does not is polled.
pub trait StepLauncher: Send + Sync {
    /// Returns whether it takes an attempt now. One that it does not take has not begun, holds nothing,
    /// and waits until the launcher has asked for it through `reports`.
    ///
    /// # Errors
    /// Why its orchestrator cannot be opened, or has failed: that fails the run, and not the step.
    fn takes(&self, _attempt: &Attempt, _reports: &Arc<dyn Reports>) -> Result<bool, String> {
        Ok(true)
    }

    /// Starts an attempt.
    ///
    /// # Errors
    /// If it was not started.
    fn launch(&self, attempt: Attempt, reports: &Arc<dyn Reports>) -> Result<Job, LaunchError>;

    /// Returns where a job stands.
    ///
    /// # Errors
    /// If that cannot be found out now.
    fn poll(&self, job: &Job) -> Result<JobStatus, LaunchError>;

    /// Asks a job to end; its end is still reported. Asked once more, since somebody is impatient, it
    /// is over soon, whatever becomes of the job.
    ///
    /// # Errors
    /// If the backend did not take the request.
    fn cancel(&self, job: &Job) -> Result<(), LaunchError>;

    /// Has a job end at once that was asked to end and took longer than its grace; its end is still
    /// reported.
    ///
    /// # Errors
    /// If the backend did not take the request.
    fn force(&self, job: &Job) -> Result<(), LaunchError> {
        self.cancel(job)
    }

    /// Returns the seconds between two polls; `None` if every end is reported.
    fn poll_interval(&self) -> Option<f64> {
        None
    }

    /// Finds the job of an attempt again that this launcher, or one before it, was handed: by
    /// [`Attempt::id`], which backends carry. Its end is reported like that of a launched one.
    ///
    /// # Errors
    /// If that cannot be found out now.
    fn find(
        &self,
        _attempt: &Attempt,
        _reports: &Arc<dyn Reports>,
    ) -> Result<Option<Job>, LaunchError> {
        Ok(None)
    }
}
