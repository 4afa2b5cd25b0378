//! The words of a command, with what is inserted into them.

use std::collections::{BTreeMap, BTreeSet};

use partita_core::deployment::{CommandLine, CommandPart};

use super::failed;
use super::files::Written;
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

/// Returns the words with texts and paths in place of inputs and outputs.
pub(super) fn filled(
    command: &CommandLine,
    inputs: &BTreeMap<&str, String>,
    outputs: &[Written],
) -> Result<Vec<String>, Stopped> {
    let insert = |text: &str| match command.is_script {
        true => quoted(text),
        false => text.to_owned(),
    };
    let part = |part: &CommandPart| {
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
            false => Ok(insert(&found)),
        }
    };
    command.words.iter().map(|word| word.iter().map(part).collect()).collect()
}

/// Returns text as a single word of a shell that says nothing else.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_inserted_means_anything_to_a_shell() {
        for text in ["", "plain", "a b", "$(touch x); `y` | z > \"w\"", "it's", "-rf *", "a\nb"] {
            let script = format!("printf %s {}", quoted(text));
            let said = std::process::Command::new("/bin/sh").args(["-c", &script]).output();
            assert_eq!(String::from_utf8(said.expect("a shell").stdout).expect("text"), text);
        }
    }
}
