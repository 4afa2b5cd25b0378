//! The launcher of the `docker` orchestrator, as the engine sees it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::bounded;
use partita_core::digest::Digest;
use partita_core::launcher::{Attempt, Job, JobStatus, LaunchError, Reports, StepLauncher};
use partita_core::stack::Component;
use partita_engine::step_runner::RunContext;

use super::commands::Commands;
use super::config::DockerOrchestratorConfig;
use super::endpoint::Endpoint;
use super::engine::{Engine, away};
use super::supervisor::{self, Mailbox, Setup};
use crate::gpus::{Gpus, OwnGpus};
use crate::output::Echo;

/// Where and with what the containers of a run are started.
pub struct Place {
    /// The run.
    pub context: Arc<RunContext>,
    /// The archive of the author's code in its artifact store.
    pub code: Option<Digest>,
    /// The `partita` command of this machine, which enters steps that are commands, if it is there.
    pub command: Option<PathBuf>,
    /// The images that were built for steps, by the steps' names.
    pub images: BTreeMap<String, String>,
    /// Shows what steps print.
    pub echo: Arc<dyn Echo>,
    /// The graphics processors that the steps of the run hold.
    pub gpus: Arc<Gpus>,
}

/// Why no container of a run can be started.
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
    /// The engine does not answer.
    #[error("{0}")]
    Away(String),
    /// The system refuses.
    #[error("the orchestrator `{name}` cannot start containers: {error}")]
    Failed {
        /// The orchestrator.
        name: String,
        /// What the system said.
        error: std::io::Error,
    },
}

/// Starts steps as containers; when it is dropped, the last of them has ended.
pub struct DockerLauncher {
    mailbox: Mailbox,
    gpus: Arc<OwnGpus>,
    supervisor: Option<JoinHandle<()>>,
}

impl DockerLauncher {
    /// Opens the launcher of a run.
    ///
    /// # Errors
    /// If the configuration is wrong, the engine does not answer, or the system refuses.
    pub fn open(orchestrator: &Component, place: Place) -> Result<Self, OpenError> {
        let name = || orchestrator.name.clone();
        let bad_config = |reason| OpenError::BadConfig { name: name(), reason };
        let config = DockerOrchestratorConfig::of(&orchestrator.config).map_err(bad_config)?;
        let endpoint = Endpoint::of(&config).map_err(bad_config)?;
        let failed = |error| OpenError::Failed { name: name(), error };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed)?;
        let engine = runtime.block_on(Engine::connect(&endpoint));
        let engine =
            engine.map_err(|trouble| OpenError::Away(away(&endpoint, &trouble.to_string())))?;
        let Place { context, code, command, images, echo, gpus } = place;
        let commands = command.as_deref().map(Commands::of).transpose().map_err(failed)?;
        let gpus = Arc::new(OwnGpus::new(gpus, config.gpus()));
        let setup = Setup {
            context,
            config,
            engine,
            echo,
            code,
            commands,
            images,
            gpus: Arc::clone(&gpus),
        };
        let (mailbox, supervisor) = supervisor::start(setup, runtime).map_err(failed)?;
        Ok(Self { mailbox, gpus, supervisor: Some(supervisor) })
    }
}

impl StepLauncher for DockerLauncher {
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

    fn find(
        &self,
        attempt: &Attempt,
        reports: &Arc<dyn Reports>,
    ) -> Result<Option<Job>, LaunchError> {
        let (answer, found) = bounded(1);
        self.mailbox.find(attempt.clone(), Arc::clone(reports), answer);
        let is_found = found.recv().unwrap_or(Ok(false))?;
        Ok(is_found.then(|| attempt.id()))
    }
}

impl Drop for DockerLauncher {
    fn drop(&mut self) {
        self.mailbox.close();
        if let Some(supervisor) = self.supervisor.take() {
            let _ = supervisor.join();
        }
    }
}
