//! Starts steps in sandboxes, waits for them, and ends them.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use partita::plugin::{
    Attempt, Capability, Environment, Error, JobReport, JobStatus, Resources, Result, Run,
    StepEntrypointConfiguration, StepLauncher,
};
use serde_json::Value;

use crate::config::SandboxConfig;
use crate::entrypoint::SandboxEntrypoint;

/// What a sandbox begins with. The first process of one takes no signal that it does not expect, so
/// that it is no step, but waits for one. Its standard input, which has secrets, becomes `SECRETS`.
const INIT: &str = r#"trap : TERM; exec 3<&0 </dev/null; "$@"; exit $?"#;

/// Where a step finds the secrets that it takes: the path that Partita says leads out of the sandbox.
const SECRETS: &str = "/proc/self/fd/3";

/// The orchestrator of a run.
pub(crate) struct Sandbox {
    config: SandboxConfig,
    entrypoint: SandboxEntrypoint,
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

impl StepLauncher for Sandbox {
    type Config = SandboxConfig;

    const CAPABILITIES: &[Capability] = &[Capability::Wait];

    /// Sees whether there can be sandboxes here, before any step is lost to that.
    fn new(_run: Run, config: SandboxConfig) -> Result<Self> {
        let command = config.unshare();
        let tried = Command::new(command[0]).args(&command[1..]).args(["--fork", "true"]).output();
        let why = match tried {
            Ok(tried) if tried.status.success() => None,
            Ok(tried) => Some(String::from_utf8_lossy(&tried.stderr).trim().to_owned()),
            Err(error) => Some(format!("`{}` cannot be started: {error}", command[0])),
        };
        match why {
            None => Ok(Self {
                entrypoint: SandboxEntrypoint::of(&config),
                config,
                jobs: Mutex::default(),
            }),
            Some(why) => Err(Error::failed(format!(
                "this machine makes no such sandboxes: {why}; leave out of `namespaces` what it does not allow"
            ))),
        }
    }

    fn launch(
        &self,
        _attempt: &Attempt,
        command: &[String],
        environment: &Environment,
        _resources: &Resources,
    ) -> Result<String> {
        let (environment, secrets) = hand_secrets(environment.clone())?;
        let sandbox = self.config.unshare();
        let child = Command::new(sandbox[0])
            .args(&sandbox[1..])
            .args(["--fork", "sh", "-c", INIT, "sh"])
            .args(command)
            .envs(environment)
            .stdin(secrets)
            .process_group(0)
            .spawn()?;
        let job = child.id().to_string();
        self.jobs().insert(job.clone(), Job { child: Some(child), ..Job::default() });
        Ok(job)
    }

    fn poll(&self, job_id: &str) -> Result<JobReport> {
        let jobs = self.jobs();
        let job = jobs.get(job_id).ok_or_else(|| unknown(job_id))?;
        Ok(job.report.clone().unwrap_or_else(|| JobStatus::Active.into()))
    }

    fn wait(&self, job_id: &str) -> Result<JobReport> {
        let child = self.jobs().get_mut(job_id).and_then(|job| job.child.take());
        let report = JobReport::from(child.ok_or_else(|| unknown(job_id))?.wait()?);
        if let Some(job) = self.jobs().get_mut(job_id) {
            job.report = Some(report.clone());
        }
        Ok(report)
    }

    fn cancel(&self, job_id: &str) -> Result<()> {
        let mut jobs = self.jobs();
        let job = jobs.get_mut(job_id).ok_or_else(|| unknown(job_id))?;
        if job.report.is_none() {
            let signal = if job.cancels == 0 { Signal::SIGTERM } else { Signal::SIGKILL };
            job.cancels += 1;
            let group = job_id.parse().map_err(|_| unknown(job_id))?;
            killpg(Pid::from_raw(group), signal).map_err(std::io::Error::from)?;
        }
        Ok(())
    }

    fn entrypoint(&self) -> &dyn StepEntrypointConfiguration {
        &self.entrypoint
    }
}

impl Sandbox {
    fn jobs(&self) -> MutexGuard<'_, HashMap<String, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown(job_id: &str) -> Error {
    Error::failed(format!("there is no job `{job_id}`"))
}

/// Returns the environment of a step in a sandbox, and the standard input that its secrets are read
/// from.
fn hand_secrets(mut environment: Environment) -> Result<(Environment, Stdio)> {
    let Some(terms) = environment.get_mut("PARTITA_ATTEMPT") else {
        return Ok((environment, Stdio::null()));
    };
    let mut told: Value =
        serde_json::from_str(terms).map_err(|error| Error::failed(error.to_string()))?;
    let Some(path) = told["secrets"].as_str() else { return Ok((environment, Stdio::null())) };
    let secrets = File::open(path)?;
    told["secrets"] = SECRETS.into();
    *terms = told.to_string();
    Ok((environment, secrets.into()))
}
