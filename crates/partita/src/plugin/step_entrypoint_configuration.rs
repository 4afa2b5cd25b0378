//! How steps are entered in the place where they run.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::jobs::settings_of;
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
/// use partita::plugin::{EntrypointArguments, StepEntrypointConfiguration};
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
///     fn get_entrypoint_arguments(&self, _: &EntrypointArguments) -> Vec<String> {
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
    fn get_entrypoint_arguments(&self, _arguments: &EntrypointArguments) -> Vec<String> {
        Vec::new()
    }
}

/// Steps are entered as Partita does it.
#[derive(Debug, Clone, Copy, Default)]
pub struct StandardEntrypoint;

impl StepEntrypointConfiguration for StandardEntrypoint {}

/// What a step entrypoint is told by the usual options, and the settings of its step.
#[derive(Debug, Clone, PartialEq)]
pub struct EntrypointArguments {
    /// The step.
    pub step_name: String,
    /// The attempt's number, from 1; `None` where no engine counts, so that it is `auto`.
    pub attempt: Option<u32>,
    /// The item, from 0, of a mapped step; `None` for all of them.
    pub item: Option<u32>,
    /// The step's settings of the orchestrator's flavor, by key.
    pub settings: Map<String, Value>,
}

impl EntrypointArguments {
    /// Returns the settings as the type of which [`settings_schema`] is the schema.
    ///
    /// [`settings_schema`]: super::BaseOrchestratorFlavor::settings_schema
    ///
    /// # Errors
    /// If they are not of this type.
    pub fn get_settings<S: DeserializeOwned>(&self) -> Result<S> {
        settings_of(&self.settings, &self.step_name)
    }
}

impl From<&Attempt> for EntrypointArguments {
    fn from(attempt: &Attempt) -> Self {
        Self {
            step_name: attempt.step_name.clone(),
            attempt: Some(attempt.number),
            item: attempt.item,
            settings: attempt.settings.clone(),
        }
    }
}

/// Returns what is started for an attempt, in place of Partita's own `command`.
///
/// # Errors
/// If the arguments are not those of the options.
pub(super) fn command(
    entrypoint: &dyn StepEntrypointConfiguration,
    arguments: &EntrypointArguments,
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
    let more = entrypoint.get_entrypoint_arguments(arguments);
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
