//! Orchestrators that start one step when they are told to.

use partita_plugin::message::{Opened, Resources, capability};

use super::{
    Attempt, BaseOrchestratorConfig, Environment, Error, JobReport, Result, Run, StackValidator,
    StandardEntrypoint, StepEntrypointConfiguration,
};

/// What a step launcher implements besides what every one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// [`StepLauncher::wait`]; it is not polled then.
    Wait,
    /// [`StepLauncher::logs`].
    Logs,
    /// [`StepLauncher::find`].
    Find,
}

impl Capability {
    /// Returns its word in the plugin protocol.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Wait => capability::STATUS,
            Self::Logs => capability::LOGS,
            Self::Find => capability::FIND,
        }
    }
}

/// Starts attempts, knows how they stand, and cancels them; the engine does the rest. It decides which
/// step is next, and launches as many at once as the flavor's `supply` allows.
///
/// It is made when a run begins to need it, and serves that run to its end. Its methods answer soon;
/// what takes long is started in one and looked at in another. [`wait`](Self::wait) alone may block,
/// and is called on threads of its own, so that whatever it changes lies behind a lock.
pub trait StepLauncher: Sized + Send + Sync + 'static {
    /// The type of its configuration.
    type Config: BaseOrchestratorConfig;

    /// Which of the methods that may be left out it implements.
    const CAPABILITIES: &[Capability] = &[];

    /// Makes the orchestrator of a run.
    ///
    /// # Errors
    /// Why it cannot serve it.
    fn new(run: Run, config: Self::Config) -> Result<Self>;

    /// Starts an attempt and returns the backend's name for it.
    ///
    /// `command` is to be started where the step is to run, with `environment` besides the variables
    /// that are there. That place needs the step's code, Partita and the artifact store.
    ///
    /// # Errors
    /// If it was not started.
    fn launch(
        &self,
        attempt: &Attempt,
        command: &[String],
        environment: &Environment,
        resources: &Resources,
    ) -> Result<String>;

    /// Returns where a job stands.
    ///
    /// # Errors
    /// If that cannot be found out.
    fn poll(&self, job_id: &str) -> Result<JobReport>;

    /// Asks a job to end; asked once more, it ends it at once if it can.
    ///
    /// # Errors
    /// If the backend did not take the request.
    fn cancel(&self, job_id: &str) -> Result<()>;

    /// Waits for the end of a job, on a thread of its own, and returns how it ended.
    ///
    /// # Errors
    /// If it cannot be waited for; its attempt has failed then.
    fn wait(&self, _job_id: &str) -> Result<JobReport> {
        Err(without("wait"))
    }

    /// Returns what a job that failed has printed.
    ///
    /// # Errors
    /// If that cannot be found out.
    fn logs(&self, _job_id: &str) -> Result<String> {
        Err(without("logs"))
    }

    /// Returns the job of an attempt, by its id, also one that an earlier process has launched.
    ///
    /// # Errors
    /// If that cannot be found out.
    fn find(&self, _attempt_id: &str) -> Result<Option<String>> {
        Err(without("find"))
    }

    /// Returns the seconds between two polls of a job, where it is not waited for.
    fn poll_interval(&self) -> f64 {
        Opened::default().poll_interval
    }

    /// Returns what the backend calls the run, if that is known when [`new`](Self::new) returns; it is
    /// kept with the run.
    fn get_orchestrator_run_id(&self) -> Option<String> {
        None
    }

    /// Returns what it asks of the stack that it is in.
    fn validator(&self) -> Option<StackValidator> {
        None
    }

    /// Returns how steps are entered.
    fn entrypoint(&self) -> &dyn StepEntrypointConfiguration {
        &StandardEntrypoint
    }
}

fn without(method: &str) -> Error {
    Error::failed(format!("the orchestrator claims `{method}` and does not implement it"))
}
