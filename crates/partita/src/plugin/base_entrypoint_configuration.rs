//! What the entrypoints of an orchestrator are: how they are started, and what they do.

use super::{EnteredStep, EntrypointArguments, JobReport, Result};

/// Says how the entrypoints of an orchestrator are started, and what they do where they are. A step's
/// entrypoint has something to do after it, too:
/// [`StepEntrypointConfiguration`](super::StepEntrypointConfiguration).
pub trait BaseEntrypointConfiguration: Send + Sync {
    /// Returns what reads the options, in the place where a step runs.
    fn source(&self) -> EntrypointSource {
        EntrypointSource::default()
    }

    /// Returns the command that the arguments follow; `command` is the one of Partita. With
    /// [`EntrypointSource::Executable`] it begins with the path of this executable, which may be
    /// another where the step runs. Other commands come before it: what follows it is its child.
    fn get_entrypoint_command(&self, command: Vec<String>) -> Vec<String> {
        command
    }

    /// Returns the names of the options that there are besides the usual ones.
    fn get_entrypoint_options(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns the arguments that give each of these options a value, as `--NAME=VALUE`.
    fn get_entrypoint_arguments(&self, _arguments: &EntrypointArguments) -> Vec<String> {
        Vec::new()
    }

    /// Runs the step, in this executable; returns how it ended.
    ///
    /// # Errors
    /// Why it cannot begin.
    fn run(&self, step: EnteredStep) -> Result<JobReport> {
        step.run()
    }
}

/// What reads the options of an entrypoint, and has its `run` and `post_run`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntrypointSource {
    /// A class in Python, by its dotted path: a subclass of
    /// `partita.entrypoints.StepEntrypointConfiguration` in the author's code.
    Class(String),
    /// This executable: what [`BaseOrchestratorFlavor::entrypoint`] returns there. The place where a
    /// step runs needs it as well then.
    ///
    /// [`BaseOrchestratorFlavor::entrypoint`]: super::BaseOrchestratorFlavor::entrypoint
    Executable,
}

impl Default for EntrypointSource {
    fn default() -> Self {
        Self::Class("partita.entrypoints.StepEntrypointConfiguration".to_owned())
    }
}
