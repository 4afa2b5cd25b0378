//! Orchestrators of your own.
//!
//! An orchestrator in Rust is an executable: three types, the traits that bring them together, and
//! one call of [`serve`] in `main`. The names are those of the Python package, and so is what they do.
//! Between them and the engine is the plugin protocol (`docs/reference/plugin-protocol.md`).
//!
//! There are three ways to be an orchestrator:
//!
//! - A **launcher** starts one step when it is told to: [`StepLauncher`].
//! - A **direct** one goes through the steps by itself, and runs each: [`BaseOrchestrator`], with
//!   [`run_step`](BaseOrchestrator::run_step).
//! - One that **delegates** has something else start the entrypoints of the steps:
//!   [`BaseOrchestrator`], where the flavor's [`Supply`] has `delegates`.
//!
//! Caching, retries, failure modes, records, progress and resuming come with each. This is a launcher:
//!
//! ```no_run
//! use std::collections::HashMap;
//! use std::process::{Child, Command, ExitCode};
//! use std::sync::{Mutex, PoisonError};
//!
//! use partita::plugin::{
//!     Attempt, BaseOrchestratorConfig, BaseOrchestratorFlavor, Environment, JobReport, JobStatus,
//!     Resources, Result, Run, StepLauncher, serve,
//! };
//!
//! /// How components are configured.
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct NiceConfig {
//!     /// How much steps stand back for other processes.
//!     #[serde(default)]
//!     nice: u8,
//! }
//!
//! impl BaseOrchestratorConfig for NiceConfig {}
//!
//! /// What components say after `--flavor`.
//! struct NiceFlavor;
//!
//! impl BaseOrchestratorFlavor for NiceFlavor {
//!     type Config = NiceConfig;
//!     type Implementation = Nice;
//!
//!     fn name(&self) -> &str {
//!         "nice"
//!     }
//! }
//!
//! /// What does the work; made for a run.
//! struct Nice {
//!     config: NiceConfig,
//!     jobs: Mutex<HashMap<String, Child>>,
//! }
//!
//! impl StepLauncher for Nice {
//!     type Config = NiceConfig;
//!
//!     fn new(_run: Run, config: NiceConfig) -> Result<Self> {
//!         Ok(Self { config, jobs: Mutex::default() })
//!     }
//!
//!     fn launch(
//!         &self,
//!         _attempt: &Attempt,
//!         command: &[String],
//!         environment: &Environment,
//!         _resources: &Resources,
//!     ) -> Result<String> {
//!         let nice = format!("-n{}", self.config.nice);
//!         let child = Command::new("nice").arg(nice).args(command).envs(environment).spawn()?;
//!         let job = child.id().to_string();
//!         let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
//!         jobs.insert(job.clone(), child);
//!         Ok(job)
//!     }
//!
//!     fn poll(&self, job: &str) -> Result<JobReport> {
//!         let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
//!         match jobs.get_mut(job).map(Child::try_wait).transpose()?.flatten() {
//!             Some(status) => Ok(status.into()),
//!             None => Ok(JobStatus::Active.into()),
//!         }
//!     }
//!
//!     fn cancel(&self, job: &str) -> Result<()> {
//!         let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
//!         jobs.get_mut(job).map_or(Ok(()), Child::kill).map_err(Into::into)
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     serve(NiceFlavor)
//! }
//! ```
//!
//! ```sh
//! cargo build && partita orchestrator flavor register ./target/debug/nice
//! partita orchestrator flavor test ./target/debug/nice
//! ```

mod base_entrypoint_configuration;
mod base_orchestrator;
mod base_orchestrator_config;
mod base_orchestrator_flavor;
mod channel;
mod entered_step;
mod error;
mod going;
mod jobs;
mod launching;
mod orchestrator;
#[cfg(test)]
mod peer;
mod pipeline_deployment;
mod run;
mod serve;
mod stack_validator;
mod step_entrypoint_configuration;
mod step_launcher;
mod step_runner;
mod terms;

pub use base_entrypoint_configuration::{BaseEntrypointConfiguration, EntrypointSource};
pub use base_orchestrator::BaseOrchestrator;
pub use base_orchestrator_config::BaseOrchestratorConfig;
pub use base_orchestrator_flavor::BaseOrchestratorFlavor;
pub use entered_step::EnteredStep;
pub use error::{Error, Result};
pub use jobs::{Attempt, Environment, JobReport, JobStatus};
pub use orchestrator::Orchestrator;
pub use partita_plugin::message::{
    Amount, Delegates, Problem, Resources, Stack, StackComponent, Supply,
};
pub use pipeline_deployment::{
    DockerSettings, PipelineDeploymentResponseModel, Step, StepConfiguration, StepRetryConfig,
    StepSpec,
};
pub use run::Run;
pub use serve::serve;
pub use stack_validator::StackValidator;
pub use step_entrypoint_configuration::{
    EntrypointArguments, StandardEntrypoint, StepEntrypointConfiguration,
};
pub use step_launcher::{Capability, StepLauncher};
