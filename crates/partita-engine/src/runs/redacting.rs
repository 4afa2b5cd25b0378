//! A launcher whose failures tell no secret: an orchestrator knows those of its configuration, and
//! what goes wrong with it may quote them.

use std::sync::Arc;

use partita_core::launcher::{
    Attempt, Job, JobStatus, LaunchError, Outcome, Reports, StepLauncher, Unit,
};

use crate::secrets::Secrets;

/// Takes values of secrets out of whatever a launcher says of attempts.
pub(super) struct Redacting<'l> {
    launcher: &'l dyn StepLauncher,
    secrets: Arc<Secrets>,
}

impl<'l> Redacting<'l> {
    /// Returns the launcher of a run with these secrets.
    pub(super) fn new(launcher: &'l dyn StepLauncher, secrets: &Arc<Secrets>) -> Self {
        Self { launcher, secrets: Arc::clone(secrets) }
    }

    fn reports(&self, reports: &Arc<dyn Reports>) -> Arc<dyn Reports> {
        let (reports, secrets) = (Arc::clone(reports), Arc::clone(&self.secrets));
        Arc::new(RedactingReports { reports, secrets })
    }

    fn error(&self, error: LaunchError) -> LaunchError {
        let redacted = |text: String| self.secrets.redacted(&text).into_owned();
        match error {
            LaunchError::Unreachable(why) => LaunchError::Unreachable(redacted(why)),
            LaunchError::Refused(why) => LaunchError::Refused(redacted(why)),
        }
    }
}

impl StepLauncher for Redacting<'_> {
    fn takes(&self, attempt: &Attempt, reports: &Arc<dyn Reports>) -> Result<bool, String> {
        let taken = self.launcher.takes(attempt, reports);
        taken.map_err(|why| self.secrets.redacted(&why).into_owned())
    }

    fn launch(&self, attempt: Attempt, reports: &Arc<dyn Reports>) -> Result<Job, LaunchError> {
        self.launcher.launch(attempt, &self.reports(reports)).map_err(|error| self.error(error))
    }

    fn poll(&self, job: &Job) -> Result<JobStatus, LaunchError> {
        match self.launcher.poll(job) {
            Ok(JobStatus::Ended(end)) => Ok(JobStatus::Ended(outcome(end, &self.secrets))),
            Ok(JobStatus::Active) => Ok(JobStatus::Active),
            Err(error) => Err(self.error(error)),
        }
    }

    fn cancel(&self, job: &Job) -> Result<(), LaunchError> {
        self.launcher.cancel(job).map_err(|error| self.error(error))
    }

    fn force(&self, job: &Job) -> Result<(), LaunchError> {
        self.launcher.force(job).map_err(|error| self.error(error))
    }

    fn poll_interval(&self) -> Option<f64> {
        self.launcher.poll_interval()
    }

    fn find(
        &self,
        attempt: &Attempt,
        reports: &Arc<dyn Reports>,
    ) -> Result<Option<Job>, LaunchError> {
        let found = self.launcher.find(attempt, &self.reports(reports));
        found.map_err(|error| self.error(error))
    }
}

struct RedactingReports {
    reports: Arc<dyn Reports>,
    secrets: Arc<Secrets>,
}

impl Reports for RedactingReports {
    fn ended(&self, unit: Unit, number: u32, end: Outcome) {
        self.reports.ended(unit, number, outcome(end, &self.secrets));
    }

    fn asked(&self, step: Option<usize>) {
        self.reports.asked(step);
    }
}

fn outcome(end: Outcome, secrets: &Secrets) -> Outcome {
    match end {
        Outcome::Failed(mut failure) => {
            secrets.redact_failure(&mut failure);
            Outcome::Failed(failure)
        }
        Outcome::GaveUp(mut failure) => {
            secrets.redact_failure(&mut failure);
            Outcome::GaveUp(failure)
        }
        end @ (Outcome::Completed(_) | Outcome::Cancelled) => end,
    }
}
