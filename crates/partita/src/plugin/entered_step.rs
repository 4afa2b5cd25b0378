//! A step that this executable enters, in the place where it runs.

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::process::{Child, Command, ExitCode};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgrp, getppid, tcgetpgrp};
use partita_core::launcher::{PROGRAM_ENTRYPOINT, TERMS_VARIABLE};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::step_runner::{pid_of, wait_without_reaping};
use super::{
    BaseOrchestratorFlavor, Error, JobReport, JobStatus, PipelineDeploymentResponseModel, Result,
    StepEntrypointConfiguration, terms,
};

/// The exit code of an entrypoint whose options are wrong.
const USAGE: u8 = 2;

/// What a shell adds to the number of a signal that ended a process.
const SIGNALLED: i32 = 128;

/// A step that this executable enters, in the place where it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnteredStep {
    /// The pipeline's name.
    pub pipeline_name: String,
    /// The step's name.
    pub step_name: String,
    /// The value of each option, also of those that
    /// [`get_entrypoint_options`](super::BaseEntrypointConfiguration::get_entrypoint_options) names.
    pub entrypoint_args: BTreeMap<String, String>,
    /// What runs it: Partita's own command.
    command: Vec<String>,
}

impl EnteredStep {
    /// Runs the step in a process that ends with this one and gets the signals that this one is
    /// sent, and returns how it ended: `Completed` if the step is committed.
    ///
    /// # Errors
    /// If the process cannot be started.
    pub fn run(self) -> Result<JobReport> {
        let signals = Signals::new([SIGTERM, SIGINT])?; // Before there is what they are handed on to.
        let mut child = self.start()?;
        let running = Arc::new(Mutex::new(Some(pid_of(&child))));
        let told = Arc::clone(&running);
        thread::spawn(move || hand_on(signals, &told));
        wait_without_reaping(&child);
        *running.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(child.wait()?.into())
    }

    fn start(&self) -> Result<Child> {
        let nothing = || Error::failed("no command of Partita follows the word `entrypoint`");
        let (first, rest) = self.command.split_first().ok_or_else(nothing)?;
        let mut command = Command::new(first);
        if let Some(terms) = terms::with_this(env::var(TERMS_VARIABLE).ok().as_deref()) {
            command.env(TERMS_VARIABLE, terms);
        }
        let started = command.args(rest).spawn();
        started.map_err(|error| Error::failed(format!("`{first}` cannot be started: {error}")))
    }
}

/// Returns the words with which this executable is told to enter a step.
pub(super) fn words() -> Result<[String; 2]> {
    let path = env::current_exe()?.into_os_string().into_string();
    let path = path.map_err(|path| {
        let path = path.display();
        Error::failed(format!("the path `{path}` of this executable is not in UTF-8"))
    })?;
    Ok([path, PROGRAM_ENTRYPOINT.to_owned()])
}

/// Enters a step if this executable was started for that; returns its exit code.
pub(super) fn entered(flavor: &impl BaseOrchestratorFlavor) -> Option<ExitCode> {
    let mut words = env::args().skip(1);
    (words.next()? == PROGRAM_ENTRYPOINT).then(|| match enter(flavor, words.collect()) {
        Ok(code) => code,
        Err((code, error)) => {
            eprintln!("error: {error}");
            code.into()
        }
    })
}

/// Runs a step, and what comes after it.
fn enter(
    flavor: &impl BaseOrchestratorFlavor,
    words: Vec<String>,
) -> std::result::Result<ExitCode, (u8, Error)> {
    let failed = |error| (1, error);
    end_with_parent();
    let given = Given::read(words).map_err(|error| (USAGE, error))?;
    let entrypoint = flavor.entrypoint(&given.options).map_err(failed)?;
    given.check(&*entrypoint).map_err(|error| (USAGE, error))?;
    let step = given.step(&*entrypoint).map_err(failed)?;
    let (pipeline_name, step_name) = (step.pipeline_name.clone(), step.step_name.clone());
    let report = entrypoint.run(step).map_err(failed)?;
    if let Some(message) = &report.message {
        eprintln!("error: {message}");
    }
    if report.status == JobStatus::Completed {
        entrypoint.post_run(&pipeline_name, &step_name).map_err(failed)?;
    }
    Ok(exit_code(&report))
}

/// What the command line of an entrypoint says.
struct Given {
    /// The words of Partita's own command that come before its options.
    command: Vec<String>,
    /// The options, as they were given.
    words: Vec<String>,
    /// Their values, by name.
    options: BTreeMap<String, String>,
}

impl Given {
    fn read(mut command: Vec<String>) -> Result<Self> {
        let is_option = |word: &String| word.starts_with("--");
        let first = command.iter().position(is_option).unwrap_or(command.len());
        let words = command.split_off(first);
        let mut options = BTreeMap::new();
        for word in &words {
            let (name, value) = option(word).ok_or_else(|| {
                Error::failed(format!("`{word}` is no option; each is one word, `--NAME=VALUE`"))
            })?;
            if options.insert(name.to_owned(), value.to_owned()).is_some() {
                return Err(Error::failed(format!("`--{name}` is given twice")));
            }
        }
        Ok(Self { command, words, options })
    }

    /// Checks that the options are there which the step is found by, and those of the entrypoint.
    fn check(&self, entrypoint: &dyn StepEntrypointConfiguration) -> Result<()> {
        let own = entrypoint.get_entrypoint_options();
        let mut asked = ["artifact_store", "deployment_id", "step_name"]
            .into_iter()
            .chain(own.iter().map(String::as_str));
        match asked.find(|name| !self.options.contains_key(*name)) {
            None => Ok(()),
            Some(missing) => Err(Error::failed(format!("the option `--{missing}` is missing"))),
        }
    }

    /// Returns the step, which Partita's own command is told no options of but its own.
    fn step(self, entrypoint: &dyn StepEntrypointConfiguration) -> Result<EnteredStep> {
        let own = entrypoint.get_entrypoint_options();
        let value = |name: &str| self.options.get(name).cloned().unwrap_or_default();
        let (store, deployment_id) = (value("artifact_store"), value("deployment_id"));
        let deployment = PipelineDeploymentResponseModel::load(&store, &deployment_id)?;
        let (pipeline_name, step_name) = (deployment.pipeline_name, value("step_name"));
        let is_own =
            |word: &String| option(word).is_some_and(|(name, _)| own.iter().any(|own| own == name));
        let mut command = self.command;
        command.extend(self.words.into_iter().filter(|word| !is_own(word)));
        Ok(EnteredStep { pipeline_name, step_name, entrypoint_args: self.options, command })
    }
}

fn option(word: &str) -> Option<(&str, &str)> {
    word.strip_prefix("--")?.split_once('=')
}

/// Has this process end with the one that is to see its end, if that says so.
fn end_with_parent() {
    let Some(parent) = env::var(TERMS_VARIABLE).ok().and_then(|told| terms::parent(&told)) else {
        return;
    };
    let _ = set_pdeathsig(Signal::SIGKILL);
    if getppid().as_raw() != parent {
        eprintln!("error: the process that is to see the end of this one has ended");
        std::process::exit(1);
    }
}

/// Hands the signals on that this process is sent, as long as the step runs; later ones end it.
fn hand_on(mut signals: Signals, running: &Mutex<Option<Pid>>) {
    for signal in signals.forever() {
        match *running.lock().unwrap_or_else(PoisonError::into_inner) {
            // Ctrl-C on a terminal reaches it by itself.
            Some(_) if signal == SIGINT && is_on_terminal() => {}
            Some(step) => drop(kill(step, Signal::try_from(signal).ok())), // It may have ended just now.
            None => std::process::exit(SIGNALLED + signal),
        }
    }
}

/// Returns whether what is typed at a terminal interrupts this process's whole group.
fn is_on_terminal() -> bool {
    File::open("/dev/tty").is_ok_and(|terminal| tcgetpgrp(terminal) == Ok(getpgrp()))
}

/// Returns the exit code of an entrypoint whose step ended like this, as shells have it.
fn exit_code(report: &JobReport) -> ExitCode {
    let code = match (report.exit_code, report.status) {
        (Some(signal), _) if signal < 0 => SIGNALLED - signal,
        (Some(code), _) => code,
        (None, JobStatus::Completed) => 0,
        (None, _) => 1,
    };
    u8::try_from(code).map_or(ExitCode::FAILURE, Into::into)
}
