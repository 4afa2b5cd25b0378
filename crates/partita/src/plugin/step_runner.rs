//! Steps that an orchestrator runs in processes of its own.
//!
//! The engine decides what has to run: it is asked for each step, and answers with an attempt to
//! make, or with how the step has ended.

use std::collections::HashMap;
use std::fmt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use partita_core::launcher::{PROGRAM_ENTRYPOINT, TERMS_VARIABLE};
use partita_plugin::message::{Launch, StepAnswer, StepRequest, method};

use super::channel::Channel;
use super::{
    Attempt, EntrypointArguments, Environment, Error, JobReport, JobStatus, Result,
    StepEntrypointConfiguration, entered_step, step_entrypoint_configuration as entrypoint, terms,
};

/// Runs steps of a run, on whatever thread asks for them.
pub(super) struct StepRunner {
    channel: Channel,
    /// The beginning of the entrypoint of every step that no engine drives.
    command: Vec<String>,
    jobs: Mutex<Jobs>,
}

#[derive(Default)]
struct Jobs {
    /// By the attempt's id.
    known: HashMap<String, Job>,
    /// Whether none is to begin any more.
    is_over: bool,
}

#[derive(Default)]
struct Job {
    /// The process group of its command, while that runs.
    group: Option<Pid>,
    /// How often it was asked to end, also before it began.
    cancels: u32,
}

impl StepRunner {
    pub(super) fn new(channel: Channel, command: Vec<String>) -> Self {
        Self { channel, command, jobs: Mutex::default() }
    }

    /// Returns the entrypoint of a step that no engine drives, and that a program may enter.
    pub(super) fn command(&self, step: &str, program: Option<&str>) -> Vec<String> {
        let mut words = self.command.clone();
        if let Some(program) = program {
            let is_option = |word: &String| word.starts_with("--");
            let first = words.iter().position(is_option).unwrap_or(words.len());
            words.splice(..first, [program, PROGRAM_ENTRYPOINT].map(str::to_owned));
        }
        words.push(format!("--step_name={step}"));
        words
    }

    /// Makes attempts at a step until it has ended.
    pub(super) fn run(
        &self,
        name: &str,
        entrypoint: &dyn StepEntrypointConfiguration,
    ) -> Result<()> {
        let request = StepRequest { step: name.to_owned() };
        loop {
            match self.channel.ask(method::STEP, &request)? {
                StepAnswer::Attempt(launch) => {
                    let id = launch.attempt.id.clone();
                    let made = self.make(*launch, entrypoint);
                    let report = made.unwrap_or_else(|error| JobReport {
                        message: Some(error.to_string()),
                        ..JobStatus::Failed.into()
                    });
                    self.channel.ended(id, report);
                }
                StepAnswer::Ended(end) if end.stops => {
                    let why = end.message.map(|why| format!(": {why}")).unwrap_or_default();
                    return Err(Error::failed(format!("the step `{name}` is {}{why}", end.status)));
                }
                StepAnswer::Ended(_) => return Ok(()),
            }
        }
    }

    /// Makes an attempt, and returns how it ended.
    fn make(
        &self,
        launch: Launch,
        entrypoint: &dyn StepEntrypointConfiguration,
    ) -> Result<JobReport> {
        let attempt = Attempt::of(&launch);
        if let Some(image) = &launch.image {
            let step = &attempt.step_name;
            return Err(Error::failed(format!(
                "step `{step}` asks for the image `{image}`, and `run_step` starts it in none; take the image away, or start the entrypoint of the step in it"
            )));
        }
        let own = [launch.command.first().cloned(), entered_step::words()?.into_iter().next()];
        let arguments = EntrypointArguments::from(&attempt);
        let words = entrypoint::command(entrypoint, &arguments, launch.command)?;
        let nothing = || Error::failed("`get_entrypoint_command` returned no command");
        let (first, rest) = words.split_first().ok_or_else(nothing)?;
        let mut environment = launch.environment;
        if own.iter().flatten().any(|own| own == first) {
            end_with_this(&mut environment);
        }
        let mut command = Command::new(first);
        command.args(rest).envs(environment).stdin(Stdio::null()).process_group(0);
        match self.start(&attempt.id, &mut command) {
            Ok(Some(child)) => self.wait(&attempt.id, child),
            Ok(None) => Ok(JobStatus::Cancelled.into()),
            Err(error) => Err(Error::failed(format!("`{first}` cannot be started: {error}"))),
        }
    }

    /// Starts the command of an attempt, unless it was cancelled before.
    fn start(&self, id: &str, command: &mut Command) -> std::io::Result<Option<Child>> {
        let mut jobs = self.jobs();
        let is_over = jobs.is_over;
        let job = jobs.known.entry(id.to_owned()).or_default();
        if is_over || job.cancels > 0 {
            return Ok(None);
        }
        let child = command.spawn()?;
        job.group = Some(pid_of(&child));
        Ok(Some(child))
    }

    /// Waits for the end of a command.
    fn wait(&self, id: &str, mut child: Child) -> Result<JobReport> {
        wait_without_reaping(&child);
        let ended = self.jobs().known.remove(id).unwrap_or_default();
        let is_cancelled = ended.cancels > 0;
        ended.signal(Signal::SIGKILL); // What it has started ends with it, on any orchestrator.
        let report = JobReport::from(child.wait()?);
        match report.status {
            JobStatus::Failed if is_cancelled => Ok(JobStatus::Cancelled.into()),
            _ => Ok(report), // It may have been done before it was asked.
        }
    }

    /// Asks an attempt to end; asked once more, ends it.
    pub(super) fn cancel(&self, id: &str) {
        let mut jobs = self.jobs();
        let job = jobs.known.entry(id.to_owned()).or_default();
        job.cancels += 1;
        job.signal(if job.cancels == 1 { Signal::SIGTERM } else { Signal::SIGKILL });
    }

    /// Ends everything that runs; nothing begins after that.
    pub(super) fn end(&self) {
        let mut jobs = self.jobs();
        jobs.is_over = true;
        jobs.known.values().for_each(|job| job.signal(Signal::SIGKILL));
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for StepRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepRunner").finish_non_exhaustive()
    }
}

impl Job {
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            let _ = killpg(group, signal); // It may have ended just now.
        }
    }
}

pub(super) fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX))
}

/// Waits for the end of a process. Until it is reaped, no other process or group has its number.
pub(super) fn wait_without_reaping(child: &Child) {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    while waitid(Id::Pid(pid_of(child)), flags) == Err(Errno::EINTR) {}
}

/// Has an entrypoint that this process starts, without another command between them, end with it.
fn end_with_this(environment: &mut Environment) {
    if let Some(terms) = environment.get_mut(TERMS_VARIABLE)
        && let Some(told) = terms::with_this(Some(terms))
    {
        *terms = told;
    }
}
