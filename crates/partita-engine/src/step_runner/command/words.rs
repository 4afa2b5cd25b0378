//! The words of a command, with what is inserted into them.

use std::collections::{BTreeMap, BTreeSet};

use partita_core::deployment::{CommandLine, CommandPart};

use super::failed;
use super::files::Written;
use crate::script::Script;
use crate::step_runner::Stopped;

/// Returns the inputs that a command mentions.
pub(super) fn inputs(command: &CommandLine) -> BTreeSet<&str> {
    let parts = command.words.iter().flatten();
    let inputs = parts.filter_map(|part| match part {
        CommandPart::Input(name) => Some(name.as_str()),
        CommandPart::Text(_) | CommandPart::Output(_) => None,
    });
    inputs.collect()
}

/// Returns the words with texts and paths in place of inputs and outputs. Those of a script follow it.
pub(super) fn filled(
    command: &CommandLine,
    inputs: &BTreeMap<&str, String>,
    outputs: &[Written],
) -> Result<Vec<String>, Stopped> {
    let value = |part: &CommandPart| {
        let found = match part {
            CommandPart::Text(text) => return Ok(text.clone()),
            CommandPart::Input(name) => inputs.get(name.as_str()).cloned(),
            CommandPart::Output(name) => {
                let output = outputs.iter().find(|output| output.name == *name);
                output.map(|output| output.path.display().to_string())
            }
        };
        let found = found
            .ok_or_else(|| failed(format!("the command inserts {part}, which it does not have")))?;
        match found.contains('\0') {
            true => Err(failed(format!(
                "the value of {part} has a NUL in it, which no command can be given"
            ))),
            false => Ok(found),
        }
    };
    let Some(parts) = command.script() else {
        return command.words.iter().map(|word| word.iter().map(value).collect()).collect();
    };
    let script = Script::of(parts).map_err(|misplaced| failed(misplaced.to_string()))?;
    let name = command.executable.path.clone();
    let words = ["-c".to_owned(), script.text, name].into_iter().map(Ok);
    words.chain(script.inserted.into_iter().map(value)).collect()
}
