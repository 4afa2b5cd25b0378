//! How steps are entered in the place where they run.

use std::collections::BTreeSet;

use super::{Attempt, Error, Result};

/// The option that names the class that reads all others.
const SOURCE_OPTION: &str = "entrypoint_config_source";

/// Says how the steps of an orchestrator are entered: by which command, and with what it is told
/// besides.
///
/// Options are read in the place where the step runs, by the class that [`source`](Self::source)
/// names: a subclass of `partita.entrypoints.StepEntrypointConfiguration` in the author's code, whose
/// `run` runs the step, and whose `post_run` comes after it.
///
/// ```
/// use partita::plugin::{Attempt, StepEntrypointConfiguration};
///
/// struct Queued {
///     queue: String,
/// }
///
/// impl StepEntrypointConfiguration for Queued {
///     fn source(&self) -> &str {
///         "flavors.entrypoint.Queued"
///     }
///
///     fn get_entrypoint_command(&self, command: Vec<String>) -> Vec<String> {
///         [vec!["nice".to_owned()], command].concat()
///     }
///
///     fn get_entrypoint_options(&self) -> Vec<String> {
///         vec!["queue".to_owned()]
///     }
///
///     fn get_entrypoint_arguments(&self, _: &Attempt) -> Vec<String> {
///         vec![format!("--queue={}", self.queue)]
///     }
/// }
/// ```
pub trait StepEntrypointConfiguration: Send + Sync {
    /// Returns the dotted path of the class that reads the options.
    fn source(&self) -> &str {
        "partita.entrypoints.StepEntrypointConfiguration"
    }

    /// Returns the command that the arguments follow; `command` is the one of Partita.
    fn get_entrypoint_command(&self, command: Vec<String>) -> Vec<String> {
        command
    }

    /// Returns the names of the options that the class takes besides the usual ones.
    fn get_entrypoint_options(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns the arguments that give each of these options a value, as `--NAME=VALUE`.
    fn get_entrypoint_arguments(&self, _attempt: &Attempt) -> Vec<String> {
        Vec::new()
    }
}

/// Steps are entered as Partita does it.
#[derive(Debug, Clone, Copy, Default)]
pub struct StandardEntrypoint;

impl StepEntrypointConfiguration for StandardEntrypoint {}

/// Returns what is started for an attempt, in place of Partita's own `command`.
///
/// # Errors
/// If the arguments are not those of the options.
pub(super) fn command(
    entrypoint: &dyn StepEntrypointConfiguration,
    attempt: &Attempt,
    mut command: Vec<String>,
) -> Result<Vec<String>> {
    let is_option = |word: &String| word.starts_with("--");
    let first = command.iter().position(is_option).unwrap_or(command.len());
    let mut options = command.split_off(first);
    for option in &mut options {
        if option.split('=').next() == Some(&format!("--{SOURCE_OPTION}")) {
            *option = format!("--{SOURCE_OPTION}={}", entrypoint.source());
        }
    }
    let more = entrypoint.get_entrypoint_arguments(attempt);
    check(&entrypoint.get_entrypoint_options(), &more)?;
    let mut whole = entrypoint.get_entrypoint_command(command);
    whole.append(&mut options);
    whole.extend(more);
    Ok(whole)
}

/// Checks that each option is given one value, and nothing else.
fn check(options: &[String], arguments: &[String]) -> Result<()> {
    let name = |argument: &String| {
        let (name, _) = argument.strip_prefix("--")?.split_once('=')?;
        options.iter().find(|option| *option == name).cloned()
    };
    let mut given = BTreeSet::new();
    for argument in arguments {
        let known = name(argument).filter(|name| given.insert(name.clone()));
        if known.is_none() {
            return Err(Error::failed(format!(
                "`get_entrypoint_arguments` returned `{}`; give each option that `get_entrypoint_options` names one value, as `--NAME=VALUE`",
                argument.split('=').next().unwrap_or_default()
            )));
        }
    }
    match options.iter().find(|option| !given.contains(*option)) {
        None => Ok(()),
        Some(option) => Err(Error::failed(format!(
            "`get_entrypoint_options` names `{option}`, and `get_entrypoint_arguments` gives it no value"
        ))),
    }
}
