//! What the entrypoint of a step is, and what it is told.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::jobs::settings_of;
use super::{Attempt, BaseEntrypointConfiguration, EntrypointSource, Error, Result, entered_step};

/// The option that names the class that reads all others.
const SOURCE_OPTION: &str = "entrypoint_config_source";

/// Says how the steps of an orchestrator are entered, and what comes after each.
///
/// Where the step runs, this executable is asked for one by
/// [`BaseOrchestratorFlavor::entrypoint`] if [`source`](BaseEntrypointConfiguration::source) is
/// [`EntrypointSource::Executable`]; its `run` and `post_run` are called there.
///
/// ```
/// use partita::plugin::{
///     BaseEntrypointConfiguration, EntrypointArguments, EntrypointSource, Result,
///     StepEntrypointConfiguration,
/// };
///
/// struct Queued {
///     queue: String,
/// }
///
/// impl BaseEntrypointConfiguration for Queued {
///     fn source(&self) -> EntrypointSource {
///         EntrypointSource::Executable
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
///
/// impl StepEntrypointConfiguration for Queued {
///     fn post_run(&self, pipeline_name: &str, step_name: &str) -> Result<()> {
///         println!("{pipeline_name}: {step_name} left the queue {}", self.queue);
///         Ok(())
///     }
/// }
/// ```
///
/// [`BaseOrchestratorFlavor::entrypoint`]: super::BaseOrchestratorFlavor::entrypoint
pub trait StepEntrypointConfiguration: BaseEntrypointConfiguration {
    /// Does what has to be done in the place of a step once it is committed; nothing, unless you say
    /// otherwise.
    ///
    /// # Errors
    /// What went wrong; the step is done all the same.
    fn post_run(&self, _pipeline_name: &str, _step_name: &str) -> Result<()> {
        Ok(())
    }
}

/// Steps are entered as Partita does it.
#[derive(Debug, Clone, Copy, Default)]
pub struct StandardEntrypoint;

impl BaseEntrypointConfiguration for StandardEntrypoint {}

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
    match entrypoint.source() {
        EntrypointSource::Class(source) => {
            for option in &mut options {
                if option.split('=').next() == Some(&format!("--{SOURCE_OPTION}")) {
                    *option = format!("--{SOURCE_OPTION}={source}");
                }
            }
        }
        EntrypointSource::Executable => drop(command.splice(..0, entered_step::words()?)),
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
