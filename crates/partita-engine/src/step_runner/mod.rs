//! The step runner: resolve inputs, look in the cache, load, call, save, commit.
//!
//! It exists once. A language plugs into it as a [`StepCaller`], which loads values, calls the
//! author's function and saves what it returned; everything else happens here. The same runner
//! serves the engine's driver and, in another process, a step entrypoint.

mod alone;
mod artifacts;
mod command;
mod commit;
mod context;
mod entry;
mod gpus;
mod inputs;
mod log;
mod mapped;
mod notes;
mod path_format;
mod printed;
pub(crate) mod standing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use partita_core::digest::Digest;
use partita_core::launcher::{Attempt, Outcome};
use partita_core::literal::Literal;
use partita_core::run::{EventKind, Failure, StepResult};
use partita_core::time::Timestamp;

pub use alone::Closed;
pub use artifacts::{load_folder, load_inline, publish_literal};
pub(crate) use commit::{commit_cached, record_interrupted, record_lost, references};
pub use context::RunContext;
pub use entry::{Entered, EntryError, RunEntry, StepEntry, Try};
pub use inputs::{InputError, InputValue};
pub use log::{LogStream, StepLog};
pub(crate) use mapped::{Gathered, gather, gathered};
pub use notes::Notes;
pub use path_format::{PATH_FORMAT, PATH_TYPE, load_path, save_path};
pub use printed::{Printed, labelled};

use crate::clock;
use crate::secrets::{Outgoing, Secrets};
use crate::store::{ArtifactStore, Staging, StoreError, layout};

/// The language's side of a step.
pub trait StepCaller {
    /// Loads the inputs, calls the step, and saves what it returned.
    ///
    /// # Errors
    /// Why there is nothing to commit.
    fn call(&mut self, call: &StepCall<'_>) -> Result<Returned, Stopped>;

    /// Calls the author's hook after a commit; a hook that raises is not the step's failure.
    ///
    /// # Errors
    /// What the hook raised.
    fn on_success(&mut self, attempt: &Attempt) -> Result<(), String>;

    /// Calls the author's hook after the last failed attempt.
    ///
    /// # Errors
    /// What the hook raised.
    fn on_failure(&mut self, attempt: &Attempt, failure: &Failure) -> Result<(), String>;

    /// Returns whether somebody else records what this process prints, commands among it.
    fn is_recorded(&self) -> bool {
        false
    }

    /// Returns whether lines are shown with the name of their step.
    fn is_labelled(&self) -> bool {
        false
    }

    /// Shows what a command prints to whoever looks at this process.
    fn show(&mut self, stream: LogStream, text: &str) {
        let _ = (stream, text);
    }

    /// Returns whether somebody asks for the end of the step, while a command runs.
    fn is_interrupted(&mut self) -> bool {
        false
    }

    /// Waits, while other threads of the language go on.
    fn wait(&mut self, wait: &mut (dyn FnMut() + Send)) {
        wait();
    }
}

/// What a language needs to call a step once.
pub struct StepCall<'a> {
    /// The attempt.
    pub attempt: &'a Attempt,
    /// The values that come from other steps, by input.
    pub inputs: &'a BTreeMap<String, InputValue>,
    /// Where its output goes.
    pub log: Arc<StepLog>,
    /// Where what it says of itself goes.
    pub notes: Arc<Notes>,
    /// The values of secrets that it may take.
    pub secrets: Option<&'a Arc<Secrets>>,
    store: &'a Arc<dyn ArtifactStore>,
}

impl StepCall<'_> {
    /// Returns what makes folders for the files of its outputs.
    pub fn stager(&self) -> Stager {
        Stager { attempt: self.attempt.clone(), store: Arc::clone(self.store) }
    }
}

/// Makes folders for the files of a step's outputs.
pub struct Stager {
    attempt: Attempt,
    store: Arc<dyn ArtifactStore>,
}

impl Stager {
    /// Returns a new folder for the files of the output `name`.
    ///
    /// # Errors
    /// If there is no room for one.
    pub fn stage(&self, name: &str) -> Result<Staging, StoreError> {
        let artifact = artifacts::artifact_name(&self.attempt, name);
        let path = layout::artifact_folder(&artifact, &clock::new_id());
        self.store.staging(&path, &self.attempt.run_id)
    }
}

/// What a call returned, saved but not committed.
#[derive(Debug, Default)]
pub struct Returned {
    /// The outputs, by name.
    pub outputs: Vec<NewOutput>,
}

/// An output that is saved but not committed.
#[derive(Debug)]
pub struct NewOutput {
    /// Its name.
    pub name: String,
    /// The value's type: `module.qualname`.
    pub type_name: String,
    /// The format its materializer wrote.
    pub format: String,
    /// The digest of the author's code that the value brings along.
    pub code: Option<Digest>,
    /// What its materializer says of it.
    pub metadata: BTreeMap<String, Literal>,
    /// The value.
    pub content: Content,
}

/// Where a saved value is.
#[derive(Debug)]
pub enum Content {
    /// In the document.
    Inline(Literal),
    /// In files.
    Files(Staging),
}

/// Why a call has nothing to commit.
#[derive(Debug)]
pub enum Stopped {
    /// The step failed, or its output cannot be kept.
    Failed(Failure),
    /// Someone interrupted it; it is not a failure and is not retried.
    Cancelled,
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Failed(Failure::ours(error.to_string()))
    }
}

impl From<InputError> for Stopped {
    fn from(error: InputError) -> Self {
        Self::Failed(Failure::ours(error.to_string()))
    }
}

/// Largest value that lives in its step's result, in bytes of JSON text.
pub const INLINE_LIMIT: usize = 8 << 10;

/// What the record of an attempt holds, however it ended.
struct Known {
    started_at: Timestamp,
    inputs: BTreeMap<String, InputValue>,
    metadata: BTreeMap<String, Literal>,
}

/// Runs one attempt to its commit.
pub fn run_attempt(
    context: &RunContext,
    attempt: &Attempt,
    caller: &mut dyn StepCaller,
) -> Outcome {
    let mut known =
        Known { started_at: clock::now(), inputs: BTreeMap::new(), metadata: BTreeMap::new() };
    let step = attempt.step();
    let log = Arc::new(StepLog::new(
        Arc::clone(&context.store),
        layout::log(&context.run_id, attempt.unit(), &step.name, attempt.number),
    ));
    known.inputs = match context.inputs(attempt.unit()) {
        Ok(inputs) => inputs,
        Err(error) => return stop(context, attempt, &known, Stopped::from(error), caller),
    };
    let notes = Arc::new(Notes::default());
    let call = StepCall {
        attempt,
        inputs: &known.inputs,
        log: Arc::clone(&log),
        notes: Arc::clone(&notes),
        secrets: context.secrets(),
        store: &context.store,
    };
    let returned = match context.deployment.command_of(step) {
        Some(command) => command::run(&call, command, caller),
        None => caller.call(&call),
    };
    log.finish();
    known.metadata = notes.take();
    let returned = without_secrets(context, returned, &mut known);
    let ended = returned.and_then(|returned| {
        commit::commit(context, attempt, &known, returned).map_err(Stopped::from)
    });
    match ended {
        Ok(result) => {
            hook_ran(context, attempt, "on_success", caller.on_success(attempt));
            Outcome::Completed(Some(result))
        }
        Err(stopped) => stop(context, attempt, &known, stopped, caller),
    }
}

/// Takes the values of secrets out of what an attempt leaves behind.
fn without_secrets(
    context: &RunContext,
    returned: Result<Returned, Stopped>,
    known: &mut Known,
) -> Result<Returned, Stopped> {
    let Some(secrets) = context.secrets() else { return returned };
    secrets.redact_metadata(&mut known.metadata);
    match returned {
        Ok(returned) => returned.checked(secrets),
        Err(stopped) => Err(stopped.checked(secrets)?),
    }
}

fn stop(
    context: &RunContext,
    attempt: &Attempt,
    known: &Known,
    stopped: Stopped,
    caller: &mut dyn StepCaller,
) -> Outcome {
    let mut result = commit::unsuccessful(context, attempt, known, &stopped);
    if let Err(error) = commit::record(context, attempt, &result) {
        // The failure itself must still be told; that it could not be recorded is added to it.
        let unrecorded = format!("; its record could not be written: {error}");
        match &mut result.error {
            Some(failure) => failure.message.push_str(&unrecorded),
            None => result.error = Some(Failure::ours(unrecorded)),
        }
    }
    match stopped {
        Stopped::Cancelled => Outcome::Cancelled,
        Stopped::Failed(failure) => {
            let failure = result.error.unwrap_or(failure);
            if attempt.is_last {
                hook_ran(context, attempt, "on_failure", caller.on_failure(attempt, &failure));
            }
            Outcome::Failed(failure)
        }
    }
}

fn hook_ran(context: &RunContext, attempt: &Attempt, hook: &str, outcome: Result<(), String>) {
    if let Err(error) = outcome {
        let error = match context.secrets() {
            Some(secrets) => secrets.redacted(&error).into_owned(),
            None => error,
        };
        let step = Some(attempt.step().name.clone());
        context.note(EventKind::HookFailed {
            step,
            item: attempt.item,
            hook: hook.to_owned(),
            error,
        });
    }
}

/// A step's committed result.
pub type Committed = Arc<StepResult>;
