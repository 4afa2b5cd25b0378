//! A step that no engine drives: its items, its attempts, and the end of its run.

use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::Signal;
use partita_cli::error::FAILED;
use partita_core::launcher::{PROGRAM_ENTRYPOINT, TERMS_VARIABLE};
use partita_core::settings::FailureMode;
use partita_engine::drive::timed_out;
use partita_engine::step_runner::{Closed, RunEntry, StepEntry};

use super::options::{self, Given};
use super::supervised::Supervisor;
use super::terms::Terms;
use super::{Refused, say};
use crate::pipeline::Pipeline;
use crate::program::own;

/// A step, and what its attempts are started with.
pub(super) struct Alone<'a> {
    run: Arc<RunEntry>,
    entry: StepEntry,
    given: &'a Given,
    terms: &'a Terms,
    supervisor: Supervisor,
}

/// Why no further attempt is made.
enum Stopped {
    Refused(Refused),
    /// A signal asked for the end of this process.
    Interrupted(Signal),
}

impl<E: Into<Refused>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

impl<'a> Alone<'a> {
    pub(super) fn new(
        run: Arc<RunEntry>,
        entry: StepEntry,
        given: &'a Given,
        terms: &'a Terms,
    ) -> Result<Self, Refused> {
        Ok(Self { run, entry, given, terms, supervisor: Supervisor::new()? })
    }

    /// Runs the step, or every item of a mapped one, and ends the run if that is left to it.
    pub(super) fn run(&self, pipelines: &[Pipeline]) -> Result<ExitCode, Refused> {
        let done = self.all();
        self.end_run(pipelines)?;
        match done {
            Ok(true) => Ok(ExitCode::SUCCESS),
            Ok(false) => Ok(ExitCode::from(FAILED)),
            Err(Stopped::Refused(refused)) => Err(refused),
            Err(Stopped::Interrupted(signal)) => Ok(exit_code(signal)),
        }
    }

    fn all(&self) -> Result<bool, Stopped> {
        let Some(items) = self.entry.items()? else { return self.retried(&self.entry) };
        let mode = self.run.deployment().pipeline.failure_mode;
        let mut is_done = true;
        for item in 0..u32::try_from(items).unwrap_or(u32::MAX) {
            let name = &self.entry.step().name;
            is_done &= self.retried(&StepEntry::named(Arc::clone(&self.run), name, Some(item))?)?;
            if !is_done && mode != FailureMode::ContinueOnFailure {
                break;
            }
        }
        Ok(is_done)
    }

    /// Makes attempts until one completes or none is left; returns whether the step is done.
    fn retried(&self, entry: &StepEntry) -> Result<bool, Stopped> {
        let step = &entry.step().name;
        let timeout = entry.step().config.timeout;
        let timeout = timeout.map(|timeout| Duration::from_secs_f64(timeout.0));
        loop {
            let Some(number) = entry.claim()? else {
                say(&format!("step `{step}` is committed already"));
                return Ok(true);
            };
            let ended = self.supervisor.run(&mut self.attempt(entry, number)?, timeout)?;
            if let Some(signal) = ended.asked.filter(|_| ended.code != 0) {
                entry.interrupted(number);
                return Err(Stopped::Interrupted(signal));
            }
            let late = timeout.filter(|_| ended.is_late);
            let why = late.map(|timeout| timed_out(timeout).message);
            let retry_in = match entry.close(number, ended.code, why)? {
                Closed::Committed => return Ok(true),
                Closed::Cancelled => return Err(Stopped::Interrupted(Signal::SIGINT)),
                Closed::Failed { retry_in } => retry_in,
                Closed::Lost { failure, retry_in } => {
                    say(&format!("error: step `{step}` failed: {}", failure.message));
                    retry_in
                }
            };
            let Some(seconds) = retry_in else { return Ok(false) };
            say(&format!("step `{step}` is tried again in {seconds} s"));
            if let Some(signal) = self.supervisor.wait(Duration::from_secs_f64(seconds)) {
                return Err(Stopped::Interrupted(signal));
            }
        }
    }

    /// Returns the command that makes an attempt in a process of its own.
    fn attempt(&self, entry: &StepEntry, number: u32) -> Result<Command, Refused> {
        let mut given = self.given.clone();
        given.insert("attempt", number.to_string());
        given.extend(entry.unit().item.map(|item| ("item", item.to_string())));
        let mut command = Command::new(own::RUNNING);
        command
            .arg(PROGRAM_ENTRYPOINT)
            .args(options::words(&given))
            .env(TERMS_VARIABLE, serde_json::to_string(&self.terms.of_claimed(entry))?);
        Ok(command)
    }
}

impl Alone<'_> {
    /// Ends the run, if that is left to its last entrypoint and this is it.
    fn end_run(&self, pipelines: &[Pipeline]) -> Result<(), Refused> {
        let Some(end) = self.entry.end_if_last()? else { return Ok(()) };
        let source = &self.run.deployment().pipeline.source;
        let own = pipelines.iter().find(|pipeline| pipeline.source == *source);
        let called = own.map_or(Ok(()), |own| own.ended(end.status, end.error.as_deref()));
        if let Err((hook, said)) = called {
            say(&format!("warning: the hook `{hook}` of the pipeline panicked: {said}"));
            self.entry.note_failed_hook(hook.to_owned(), said);
        }
        Ok(())
    }
}

fn exit_code(signal: Signal) -> ExitCode {
    ExitCode::from(u8::try_from(128 + signal as i32).unwrap_or(FAILED))
}
