//! The flavor of an orchestrator.

use std::collections::BTreeMap;

use partita_plugin::message::Supply;
use schemars::Schema;

use super::{BaseOrchestratorConfig, Result, StandardEntrypoint, StepEntrypointConfiguration};

/// A flavor of orchestrators: its name, the type of its components' configurations, and what does
/// the work.
///
/// ```no_run
/// # use partita::plugin::*;
/// # #[derive(serde::Deserialize, schemars::JsonSchema)]
/// # struct QueueConfig {}
/// # impl BaseOrchestratorConfig for QueueConfig {}
/// # struct Queue;
/// # impl StepLauncher for Queue {
/// #     type Config = QueueConfig;
/// #     fn new(_: Run, _: QueueConfig) -> Result<Self> { Ok(Self) }
/// #     fn launch(&self, attempt: &Attempt, _: &[String], _: &Environment, _: &Resources) -> Result<String> {
/// #         Ok(attempt.id.clone())
/// #     }
/// #     fn poll(&self, _: &str) -> Result<JobReport> { Ok(JobStatus::Completed.into()) }
/// #     fn cancel(&self, _: &str) -> Result<()> { Ok(()) }
/// # }
/// struct QueueFlavor;
///
/// impl BaseOrchestratorFlavor for QueueFlavor {
///     type Config = QueueConfig;
///     type Implementation = Queue;
///
///     fn name(&self) -> &str {
///         "queue"
///     }
///
///     fn description(&self) -> &str {
///         "Runs every step as a job of a queue."
///     }
///
///     fn supply(&self) -> Supply {
///         Supply { gpus: Amount::from(2), ..Supply::default() }
///     }
/// }
/// ```
pub trait BaseOrchestratorFlavor {
    /// The type of its components' configurations.
    type Config: BaseOrchestratorConfig;

    /// What does the work: a [`BaseOrchestrator`] or a [`StepLauncher`] with this configuration, made
    /// when a run needs it.
    ///
    /// [`BaseOrchestrator`]: super::BaseOrchestrator
    /// [`StepLauncher`]: super::StepLauncher
    type Implementation;

    /// Returns its name: what components say after `--flavor`.
    fn name(&self) -> &str;

    /// Returns one sentence on what it does.
    fn description(&self) -> &str {
        ""
    }

    /// Returns where its documentation is.
    fn docs_url(&self) -> Option<&str> {
        None
    }

    /// Returns where its logo is.
    fn logo_url(&self) -> Option<&str> {
        None
    }

    /// Returns what steps may ask of it; a pipeline that asks for more is refused.
    fn supply(&self) -> Supply {
        Supply::default()
    }

    /// Returns what enters a step in this executable, in the place where the step runs, if the
    /// orchestrator has its steps entered so ([`EntrypointSource::Executable`]).
    ///
    /// `entrypoint_args` has the value of each option, by its name.
    ///
    /// [`EntrypointSource::Executable`]: super::EntrypointSource::Executable
    ///
    /// # Errors
    /// What is wrong with the values.
    fn entrypoint(
        &self,
        _entrypoint_args: &BTreeMap<String, String>,
    ) -> Result<Box<dyn StepEntrypointConfiguration>> {
        Ok(Box::new(StandardEntrypoint))
    }

    /// Returns the JSON Schema of its settings on pipelines and steps, if it takes any:
    /// `schemars::schema_for!` makes one of a type, as which [`Attempt::get_settings`] reads them.
    ///
    /// [`Attempt::get_settings`]: super::Attempt::get_settings
    fn settings_schema(&self) -> Option<Schema> {
        None
    }
}
