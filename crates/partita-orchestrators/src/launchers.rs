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

    /// Returns the launcher that an attempt is for, and its number.
    fn named(&self, attempt: &Attempt) -> Result<(usize, &dyn StepLauncher), LaunchError> {
        let named = attempt.step().config.orchestrator.as_ref();
        let mut all = self.0.iter().enumerate();
        let found = all.find(|(_, (name, _))| named.is_none_or(|named| named == name));
        found.map(|(number, (_, launcher))| (number, &**launcher)).ok_or_else(|| {
            let named = named.map(String::as_str).unwrap_or_default();
            LaunchError::Refused(format!("the stack has no orchestrator `{named}`"))
        })
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
    fn takes(&self, attempt: &Attempt, reports: &Arc<dyn Reports>) -> Result<bool, String> {
        self.named(attempt).map_or(Ok(true), |(_, launcher)| launcher.takes(attempt, reports))
    }

    fn launch(&self, attempt: Attempt, reports: &Arc<dyn Reports>) -> Result<Job, LaunchError> {
        let (number, launcher) = self.named(&attempt)?;
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

    fn force(&self, job: &Job) -> Result<(), LaunchError> {
        let (launcher, job) = self.of(job)?;
        launcher.force(&job.to_owned())
    }

    /// Returns the shortest that one of them asks for.
    fn poll_interval(&self) -> Option<f64> {
        self.0.iter().filter_map(|(_, launcher)| launcher.poll_interval()).min_by(f64::total_cmp)
    }

    fn find(
        &self,
        attempt: &Attempt,
        reports: &Arc<dyn Reports>,
    ) -> Result<Option<Job>, LaunchError> {
        let (number, launcher) = self.named(attempt)?;
        Ok(launcher.find(attempt, reports)?.map(|job| format!("{number}:{job}")))
    }
}
