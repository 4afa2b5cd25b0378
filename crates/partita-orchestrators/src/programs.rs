//! Steps of other programs, where steps run in the process that started the run.
//!
//! A pipeline in Python can use steps of a program in Rust. On `local`, Python's steps run in this
//! process, and those as processes of their program, one at a time all the same.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use partita_core::deployment::{Deployment, Program};
use partita_core::launcher::{Attempt, Job, JobStatus, LaunchError, Reports, StepLauncher};

use crate::local::LocalLauncher;
use crate::process::ProcessLauncher;

/// Has each step run where it can.
pub struct WithPrograms {
    here: LocalLauncher,
    programs: ProcessLauncher,
    /// The jobs of programs.
    jobs: Mutex<HashSet<Job>>,
}

/// Returns whether a deployment has steps of another program than the one that this process runs.
pub fn has_others(deployment: &Deployment) -> bool {
    let mut programs = deployment.sources.values().filter_map(|source| source.program.as_ref());
    programs.any(is_other)
}

fn is_other(program: &Program) -> bool {
    let own = std::env::current_exe().ok();
    own.is_none_or(|own| own.as_os_str() != program.path.as_str())
}

impl WithPrograms {
    /// Returns what launches the steps of this process `here`, and others as processes.
    pub fn new(here: LocalLauncher, programs: ProcessLauncher) -> Self {
        Self { here, programs, jobs: Mutex::default() }
    }

    fn of(&self, job: &Job) -> &dyn StepLauncher {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        match jobs.contains(job) {
            true => &self.programs,
            false => &self.here,
        }
    }
}

impl StepLauncher for WithPrograms {
    fn launch(&self, attempt: Attempt, reports: &Arc<dyn Reports>) -> Result<Job, LaunchError> {
        if !attempt.program().is_some_and(is_other) {
            return self.here.launch(attempt, reports);
        }
        let job = self.programs.launch(attempt, reports)?;
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).insert(job.clone());
        Ok(job)
    }

    fn poll(&self, job: &Job) -> Result<JobStatus, LaunchError> {
        self.of(job).poll(job)
    }

    fn cancel(&self, job: &Job) -> Result<(), LaunchError> {
        self.of(job).cancel(job)
    }
}
