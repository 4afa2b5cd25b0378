//! Starts steps, knows how they stand, and ends them; the engine does the rest.

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use partita::plugin::{
    Attempt, Capability, Environment, Error, JobReport, JobStatus, Resources, Result, Run,
    StepLauncher,
};

use crate::config::MyFlavorOrchestratorConfig;

/// Runs every step as a process; a queue's `submit`, `status` and `cancel` would stand here.
pub struct MyFlavorOrchestrator {
    config: MyFlavorOrchestratorConfig,
    jobs: Mutex<HashMap<String, Job>>,
}

#[derive(Default)]
struct Job {
    /// Its process, until a thread waits for it.
    child: Option<Child>,
    /// How often it was asked to end.
    cancels: u32,
    /// How it ended.
    report: Option<JobReport>,
}

impl StepLauncher for MyFlavorOrchestrator {
    type Config = MyFlavorOrchestratorConfig;

    /// `wait` is implemented, so that jobs are not polled; `logs` and `find` are not.
    const CAPABILITIES: &[Capability] = &[Capability::Wait];

    fn new(_run: Run, config: MyFlavorOrchestratorConfig) -> Result<Self> {
        Ok(Self { config, jobs: Mutex::default() })
    }

    /// Starts a step, and returns what its job is called.
    fn launch(
        &self,
        _attempt: &Attempt,
        command: &[String],
        environment: &Environment,
        _resources: &Resources,
    ) -> Result<String> {
        let child = Command::new("nice")
            .arg(format!("-n{}", self.config.nice))
            .args(command)
            .envs(environment)
            .stdin(Stdio::null())
            .spawn()?;
        let job = child.id().to_string();
        self.jobs().insert(job.clone(), Job { child: Some(child), ..Job::default() });
        Ok(job)
    }

    /// Says where a job stands. It is not asked where there is `wait`.
    fn poll(&self, job_id: &str) -> Result<JobReport> {
        let jobs = self.jobs();
        let job = jobs.get(job_id).ok_or_else(|| unknown(job_id))?;
        Ok(job.report.clone().unwrap_or_else(|| JobStatus::Active.into()))
    }

    /// Waits for the end of a job, on a thread of its own.
    fn wait(&self, job_id: &str) -> Result<JobReport> {
        let child = self.jobs().get_mut(job_id).and_then(|job| job.child.take());
        let report = JobReport::from(child.ok_or_else(|| unknown(job_id))?.wait()?);
        if let Some(job) = self.jobs().get_mut(job_id) {
            job.report = Some(report.clone());
        }
        Ok(report)
    }

    /// Asks a job to end; asked once more, ends it.
    fn cancel(&self, job_id: &str) -> Result<()> {
        let mut jobs = self.jobs();
        let job = jobs.get_mut(job_id).ok_or_else(|| unknown(job_id))?;
        if job.report.is_none() {
            let signal = if job.cancels == 0 { "-TERM" } else { "-KILL" };
            job.cancels += 1;
            Command::new("sh").args(["-c", r#"kill "$0" "$1""#, signal, job_id]).status()?;
        }
        Ok(())
    }
}

impl MyFlavorOrchestrator {
    fn jobs(&self) -> MutexGuard<'_, HashMap<String, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown(job_id: &str) -> Error {
    Error::failed(format!("there is no job `{job_id}`"))
}

#[cfg(test)]
mod tests {
    use partita::plugin::Stack;

    use super::*;

    fn orchestrator() -> MyFlavorOrchestrator {
        let run = Run {
            component: "here".to_owned(),
            run_id: "run".to_owned(),
            pipeline: "train".to_owned(),
            deployment_id: "deployment".to_owned(),
            artifact_store: "file:///store".to_owned(),
            stack: Stack::default(),
            images: Default::default(),
        };
        MyFlavorOrchestrator::new(run, MyFlavorOrchestratorConfig::default()).unwrap()
    }

    /// Launches a command of a shell as a step would be, and returns its job.
    fn launch(orchestrator: &MyFlavorOrchestrator, command: &str) -> String {
        let attempt = Attempt {
            id: "run/0/1".to_owned(),
            run_id: "run".to_owned(),
            step_name: "train".to_owned(),
            item: None,
            number: 1,
            settings: Default::default(),
            image: None,
        };
        let command = ["sh", "-c", command].map(str::to_owned);
        let environment = Environment::from([("TOLD".to_owned(), "3".to_owned())]);
        orchestrator.launch(&attempt, &command, &environment, &Resources::default()).unwrap()
    }

    #[test]
    fn a_job_ends_as_its_command_does() {
        let orchestrator = orchestrator();
        let job = launch(&orchestrator, "true");
        assert_eq!(orchestrator.wait(&job).unwrap().status, JobStatus::Completed);
        let job = launch(&orchestrator, "exit $TOLD");
        let report = orchestrator.wait(&job).unwrap();
        assert_eq!((report.status, report.exit_code), (JobStatus::Failed, Some(3)));
        assert_eq!(orchestrator.poll(&job).unwrap(), report);
    }

    #[test]
    fn a_cancelled_job_ends() {
        let orchestrator = orchestrator();
        let job = launch(&orchestrator, "exec sleep 60");
        assert_eq!(orchestrator.poll(&job).unwrap().status, JobStatus::Active);
        orchestrator.cancel(&job).unwrap();
        assert_eq!(orchestrator.wait(&job).unwrap().status, JobStatus::Failed);
    }
}
