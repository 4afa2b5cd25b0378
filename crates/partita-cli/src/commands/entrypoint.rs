//! `partita entrypoint`: runs one step that is a command, in the place where its launcher has started this.
//!
//! Steps in a language are entered by that. A command needs none, so that its place need not have any.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, fs};

use partita_cli::error::{CANCELLED, FAILED};
use partita_core::digest::Digest;
use partita_core::launcher::{
    Attempt, ENTRYPOINT_CONFIG_SOURCE, Outcome, PYTHON_ENTRYPOINT, STANDARD_INPUT, TERMS_VARIABLE,
};
use partita_core::run::Failure;
use partita_engine::code;
use partita_engine::secrets::Secrets;
use partita_engine::step_runner::{
    Entered, LogStream, Returned, RunEntry, StepCall, StepCaller, StepEntry, Stopped, Try,
};
use serde::Deserialize;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::error::CommandError;

/// The step, and the attempt at it.
#[derive(clap::Args)]
#[command(rename_all = "snake_case")]
pub(crate) struct Args {
    /// What enters a command: there is one only.
    #[arg(long, value_parser = [ENTRYPOINT_CONFIG_SOURCE])]
    entrypoint_config_source: String,
    #[arg(long)]
    artifact_store: String,
    #[arg(long)]
    deployment_id: String,
    #[arg(long)]
    run_id: String,
    #[arg(long)]
    step_name: String,
    #[arg(long)]
    attempt: u32,
    #[arg(long)]
    item: Option<u32>,
}

/// What the launcher says of the attempt besides. It records what the process prints.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Terms {
    cache_reason: Option<String>,
    is_last: Option<bool>,
    gpu_count: u32,
    code: Option<Digest>,
    secrets: Option<String>,
}

pub(crate) fn run(args: Args) -> Result<(), CommandError> {
    let failed = |error: &dyn std::error::Error| CommandError::failed(error.to_string());
    let terms: Terms = match env::var(TERMS_VARIABLE) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| failed(&error))?,
        Err(_) => Terms::default(),
    };
    let run = RunEntry::open(&args.artifact_store, &args.deployment_id, &args.run_id);
    let run = Arc::new(run.map_err(|error| failed(&error))?);
    let entry = StepEntry::named(Arc::clone(&run), &args.step_name, args.item);
    let entry = entry.map_err(|error| failed(&error))?;
    check(&entry)?;
    if let Err(why) = ready(&run, &entry, &terms) {
        entry.refuse(args.attempt, &why);
        return Err(CommandError::failed(why));
    }
    let is_interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let registered = signal_hook::flag::register(signal, Arc::clone(&is_interrupted));
        registered.map_err(|error| failed(&error))?;
    }
    let which = Try::Launched {
        number: args.attempt,
        cache_reason: terms.cache_reason,
        is_last: terms.is_last,
    };
    let entered = entry.run(which, &mut CommandCaller(is_interrupted));
    match entered.map_err(|error| failed(&error))? {
        Entered::AlreadyCommitted | Entered::Cached | Entered::Ran(Outcome::Completed(_)) => Ok(()),
        Entered::Ran(Outcome::Cancelled) => Err(CommandError::Told(CANCELLED)),
        // Its record says it, where there is one.
        Entered::Ran(Outcome::Failed(_) | Outcome::GaveUp(_))
            if entry.is_recorded(args.attempt) =>
        {
            Err(CommandError::Told(FAILED))
        }
        Entered::Ran(Outcome::Failed(failure) | Outcome::GaveUp(failure)) => {
            Err(CommandError::failed(failure.message))
        }
    }
}

/// Checks that a step is one for which nothing in a language is called.
fn check(entry: &StepEntry) -> Result<(), CommandError> {
    if entry.run_entry().deployment().is_mere_command(entry.step()) {
        return Ok(());
    }
    let name = &entry.step().name;
    let refused =
        format!("step `{name}` is no command, or one with hooks, which are called in its language");
    Err(CommandError::failed(refused)
        .help(format!("start `python -m {PYTHON_ENTRYPOINT}` with the same options")))
}

/// Has everything where the step expects it.
fn ready(run: &RunEntry, entry: &StepEntry, terms: &Terms) -> Result<(), String> {
    if let Some(why) = entry.missing_gpus(terms.gpu_count) {
        return Err(why);
    }
    if terms.secrets.as_deref() == Some(STANDARD_INPUT) {
        let mut handed = Vec::new();
        let read = io::stdin().read_to_end(&mut handed).map_err(|error| error.to_string());
        let secrets =
            read.and_then(|_| Secrets::decode(&handed).map_err(|error| error.to_string()));
        let name = &entry.step().name;
        run.give_secrets(secrets.map_err(|why| format!("the secrets of step `{name}`: {why}"))?);
    }
    match terms.code {
        Some(digest) => use_code(run, digest),
        None => Ok(()),
    }
}

/// Takes the author's code out of the artifact store, and works in it.
fn use_code(run: &RunEntry, digest: Digest) -> Result<(), String> {
    let place = env::temp_dir();
    let no_room = |error: io::Error| {
        let place = place.display();
        format!(
            "there is no room for the code in `{place}`: {error}; give the container some with the setting `tmpfs` of its orchestrator, as in `{{\"/tmp\": \"exec\"}}`"
        )
    };
    // An image may have nothing at all.
    fs::create_dir_all(&place).map_err(no_room)?;
    let folder = tempfile::Builder::new().prefix("partita-code-").tempdir_in(&place);
    let folder = folder.map_err(no_room)?.keep();
    code::unpack(&**run.store(), digest, &folder).map_err(|error| error.to_string())?;
    env::set_current_dir(&folder).map_err(no_room)
}

/// The side of a step that is a command: there is nothing to call.
struct CommandCaller(Arc<AtomicBool>);

impl StepCaller for CommandCaller {
    fn call(&mut self, call: &StepCall<'_>) -> Result<Returned, Stopped> {
        let name = &call.attempt.step().name;
        Err(Stopped::Failed(Failure::ours(format!("step `{name}` is no command"))))
    }

    fn on_success(&mut self, _attempt: &Attempt) -> Result<(), String> {
        Ok(())
    }

    fn on_failure(&mut self, _attempt: &Attempt, _failure: &Failure) -> Result<(), String> {
        Ok(())
    }

    fn is_recorded(&self) -> bool {
        true
    }

    fn show(&mut self, stream: LogStream, text: &str) {
        // Nobody may be reading.
        let _ = match stream {
            LogStream::Stdout => io::stdout().write_all(text.as_bytes()),
            LogStream::Stderr => io::stderr().write_all(text.as_bytes()),
        };
    }

    fn is_interrupted(&mut self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
