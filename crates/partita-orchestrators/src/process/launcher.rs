//! The launcher of the `process` orchestrator, as the engine sees it.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use partita_core::launcher::{Attempt, Job, JobStatus, LaunchError, Reports, StepLauncher};
use partita_core::name::slug;
use partita_core::stack::Component;
use partita_engine::step_runner::RunContext;

use super::config::ProcessOrchestratorConfig;
use super::entrypoint::Setup;
use super::lock::ProcessLock;
use super::output::Echo;
use super::supervisor::{self, Mailbox};

/// Where and with what the processes of a run are started.
pub struct Place {
    /// The run.
    pub context: Arc<RunContext>,
    /// The folder that tells which runs have processes on this machine.
    pub locks: PathBuf,
    /// The Python that runs steps.
    pub interpreter: PathBuf,
    /// Shows what steps print.
    pub echo: Arc<dyn Echo>,
}

/// Why no process of a run can be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The configuration is wrong.
    #[error("the orchestrator `{name}` has a wrong configuration: {reason}")]
    BadConfig {
        /// The orchestrator.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The system refuses.
    #[error("the orchestrator `{name}` cannot start processes: {error}")]
    Failed {
        /// The orchestrator.
        name: String,
        /// What the system said.
        error: std::io::Error,
    },
}

/// Starts steps as processes; when it is dropped, the last of them has ended.
pub struct ProcessLauncher {
    mailbox: Mailbox,
    supervisor: Option<JoinHandle<()>>,
}

impl ProcessLauncher {
    /// Opens the launcher of a run, once no process of an earlier engine of it is left.
    ///
    /// # Errors
    /// If the configuration is wrong, or the system refuses.
    pub fn open(orchestrator: &Component, place: Place) -> Result<Self, OpenError> {
        let name = || orchestrator.name.clone();
        let config = ProcessOrchestratorConfig::of(&orchestrator.config)
            .map_err(|reason| OpenError::BadConfig { name: name(), reason })?;
        let failed = |error| OpenError::Failed { name: name(), error };
        let lock = format!("{}.{}", place.context.run_id, slug(&orchestrator.name));
        let lock = ProcessLock::take(&place.locks, &lock).map_err(failed)?;
        let setup = Setup {
            context: place.context,
            config,
            interpreter: place.interpreter,
            echo: place.echo,
            orchestrator: name(),
        };
        let (mailbox, supervisor) = supervisor::start(setup, lock).map_err(failed)?;
        Ok(Self { mailbox, supervisor: Some(supervisor) })
    }
}

impl StepLauncher for ProcessLauncher {
    fn launch(&self, attempt: Attempt, reports: &Arc<dyn Reports>) -> Result<Job, LaunchError> {
        let job = attempt.id();
        self.mailbox.launch(attempt, Arc::clone(reports));
        Ok(job)
    }

    /// Every end is reported.
    fn poll(&self, _job: &Job) -> Result<JobStatus, LaunchError> {
        Ok(JobStatus::Active)
    }

    fn cancel(&self, job: &Job) -> Result<(), LaunchError> {
        self.mailbox.cancel(job.clone());
        Ok(())
    }
}

impl Drop for ProcessLauncher {
    fn drop(&mut self) {
        self.mailbox.close();
        if let Some(supervisor) = self.supervisor.take() {
            let _ = supervisor.join();
        }
    }
}
