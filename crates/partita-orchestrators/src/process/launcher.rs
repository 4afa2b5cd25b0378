//! The launcher of the `process` orchestrator, as the engine sees it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use partita_core::launcher::{Attempt, Job, JobStatus, LaunchError, Reports, StepLauncher};
use partita_core::name::slug;
use partita_core::stack::{Component, Stack};
use partita_engine::step_runner::RunContext;

use crate::gpus::{Gpus, OwnGpus};
use crate::output::Echo;

use super::NAME;
use super::config::ProcessOrchestratorConfig;
use super::entrypoint::Setup;
use super::lock::ProcessLock;
use super::mailbox::Mailbox;
use super::open_files;
use super::supervisor;

/// Where and with what the processes of a run are started.
pub struct Place {
    /// The run.
    pub context: Arc<RunContext>,
    /// The folder that tells which runs have processes on this machine.
    pub locks: PathBuf,
    /// The Python that runs steps.
    pub interpreter: PathBuf,
    /// The program that drives the run, and watches over it; `None` where Python drives.
    pub program: Option<PathBuf>,
    /// Shows what steps print.
    pub echo: Arc<dyn Echo>,
    /// The graphics processors that the steps of the run hold.
    pub gpus: Arc<Gpus>,
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
    gpus: Arc<OwnGpus>,
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
        open_files::allow(config.max_parallelism()).map_err(failed)?;
        let lock = lock_of(&place.context.run_id, &orchestrator.name);
        let lock = ProcessLock::take(&place.locks, &lock).map_err(failed)?;
        let gpus = Arc::new(OwnGpus::new(place.gpus, config.gpus()));
        let setup = Setup {
            gpus: Arc::clone(&gpus),
            context: place.context,
            config,
            interpreter: place.interpreter,
            program: place.program,
            echo: place.echo,
            orchestrator: name(),
        };
        let (mailbox, supervisor) = supervisor::start(setup, lock).map_err(failed)?;
        Ok(Self { mailbox, gpus, supervisor: Some(supervisor) })
    }
}

/// Ends the processes that an engine which died has left of a run. Nobody else may drive the run
/// meanwhile; `locks` tells which runs have processes on this machine.
///
/// # Errors
/// If they do not end.
pub fn end_left(stack: &Stack, run_id: &str, locks: &Path) -> std::io::Result<()> {
    for orchestrator in stack.orchestrators.iter().filter(|found| found.flavor == NAME) {
        ProcessLock::take(locks, &lock_of(run_id, &orchestrator.name))?.end_marked()?;
    }
    Ok(())
}

fn lock_of(run_id: &str, orchestrator: &str) -> String {
    format!("{run_id}.{}", slug(orchestrator))
}

impl StepLauncher for ProcessLauncher {
    fn takes(&self, attempt: &Attempt, reports: &Arc<dyn Reports>) -> Result<bool, String> {
        Ok(self.gpus.are_free(attempt.step().config.resources.gpus(), reports))
    }

    fn launch(&self, attempt: Attempt, reports: &Arc<dyn Reports>) -> Result<Job, LaunchError> {
        let job = attempt.id();
        self.gpus.give(attempt.step().config.resources.gpus(), job.clone());
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
