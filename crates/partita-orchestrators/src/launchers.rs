//! The orchestrators of a stack as one launcher: each step goes to its own.

use std::sync::Arc;

use partita_core::launcher::{Attempt, Job, JobStatus, LaunchError, Reports, StepLauncher};

/// The launchers of a run, by the names of their orchestrators; the first is the default.
pub struct Launchers(Vec<(String, Box<dyn StepLauncher>)>);

impl Launchers {
    /// Returns the launchers, in the order of the stack.
    pub fn new(launchers: Vec<(String, Box<dyn StepLauncher>)>) -> Self {
        Self(launchers)
    }

    /// Returns the launcher of a job, and what that launcher calls it.
    fn of<'j>(&self, job: &'j Job) -> Result<(&dyn StepLauncher, &'j str), LaunchError> {
        let found = job
            .split_once(':')
            .and_then(|(number, job)| Some((&*self.0.get(number.parse::<usize>().ok()?)?.1, job)));
        found.ok_or_else(|| LaunchError::Refused(format!("no orchestrator has a job `{job}`")))
    }
}

impl StepLauncher for Launchers {
    fn launch(&self, attempt: Attempt, reports: &Arc<dyn Reports>) -> Result<Job, LaunchError> {
        let number = match &attempt.step().config.orchestrator {
            None => Some(0),
            Some(named) => self.0.iter().position(|(name, _)| name == named),
        };
        let Some((number, (_, launcher))) = number.and_then(|n| Some((n, self.0.get(n)?))) else {
            let named = attempt.step().config.orchestrator.clone().unwrap_or_default();
            return Err(LaunchError::Refused(format!("the stack has no orchestrator `{named}`")));
        };
        Ok(format!("{number}:{}", launcher.launch(attempt, reports)?))
    }

    fn poll(&self, job: &Job) -> Result<JobStatus, LaunchError> {
        let (launcher, job) = self.of(job)?;
        launcher.poll(&job.to_owned())
    }

    fn cancel(&self, job: &Job) -> Result<(), LaunchError> {
        let (launcher, job) = self.of(job)?;
        launcher.cancel(&job.to_owned())
    }

    /// Returns the shortest that one of them asks for.
    fn poll_interval(&self) -> Option<f64> {
        self.0.iter().filter_map(|(_, launcher)| launcher.poll_interval()).min_by(f64::total_cmp)
    }

    fn find(&self, attempt_id: &str) -> Result<Option<Job>, LaunchError> {
        for (number, (_, launcher)) in self.0.iter().enumerate() {
            if let Some(job) = launcher.find(attempt_id)? {
                return Ok(Some(format!("{number}:{job}")));
            }
        }
        Ok(None)
    }
}
