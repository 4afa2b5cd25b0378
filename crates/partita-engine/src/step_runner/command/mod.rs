//! Steps that are commands: an executable that reads files, and writes others.
//!
//! No language calls them, so the step runner does: it inserts the paths of inputs and outputs into
//! the command's words, starts it, and takes up the files that it has written.

mod child;
mod files;
mod words;

use std::collections::BTreeMap;
use std::path::Path;

use partita_core::deployment::CommandLine;
use partita_core::run::Failure;

use self::child::{Child, Ended};
use super::{Returned, StepCall, StepCaller, Stopped};
use crate::file_digest::digest_file;

/// What failures of commands are called.
const KIND: &str = "command";

fn failed(message: impl Into<String>) -> Stopped {
    Stopped::Failed(Failure { kind: KIND.to_owned(), ..Failure::ours(message) })
}

/// Runs a command to its end, and returns the files that it has written.
pub(super) fn run(
    call: &StepCall<'_>,
    command: &CommandLine,
    caller: &mut dyn StepCaller,
) -> Result<Returned, Stopped> {
    check(call, command)?;
    let mut inserted = BTreeMap::new();
    for name in words::inputs(command) {
        inserted.insert(name, files::inserted(call, name)?);
    }
    let written = files::stage(call)?;
    let words = words::filled(command, &inserted, &written)?;
    let name = Path::new(&command.executable.path).file_name().unwrap_or_default();
    let name = name.to_string_lossy();
    let child = Child::start(&command.executable.path, &words, caller.is_recorded());
    let child = child.map_err(|error| {
        let path = &command.executable.path;
        let image = call.attempt.step().config.docker.parent_image.as_ref();
        let help = image.map(|image| format!("; the image `{image}` has to have it"));
        failed(format!("`{path}` cannot be started: {error}{}", help.unwrap_or_default()))
    })?;
    match child.ended(call, caller) {
        Ended::Interrupted => Err(Stopped::Cancelled),
        Ended::Exited { code: 0, .. } => written
            .into_iter()
            .map(|written| written.taken(command, &name))
            .collect::<Result<_, _>>()
            .map(|outputs| Returned { outputs }),
        Ended::Exited { code, how, last } => {
            let said = last.map(|line| format!(": {line}")).unwrap_or_default();
            Err(Stopped::Failed(Failure {
                kind: KIND.to_owned(),
                exit_code: Some(code),
                ..Failure::ours(format!("`{name}` {how}{said}"))
            }))
        }
    }
}

/// Checks that the executable is the one that the pipeline was compiled with, if that is known.
fn check(call: &StepCall<'_>, command: &CommandLine) -> Result<(), Stopped> {
    let Some(expected) = command.executable.digest else { return Ok(()) };
    let path = &command.executable.path;
    let step = &call.attempt.step().name;
    match digest_file(Path::new(path)) {
        Ok(digest) if digest == expected => Ok(()),
        Ok(_) => Err(failed(format!(
            "`{path}`, which step `{step}` starts, is another one than when the pipeline was compiled; run the pipeline anew"
        ))),
        Err(error) => Err(failed(format!(
            "`{path}`, which step `{step}` starts, cannot be read: {error}; install it where the step runs, and run the pipeline anew"
        ))),
    }
}
