//! The base of orchestrators that go through the steps of a pipeline by themselves.

use serde::de::DeserializeOwned;

use super::jobs::settings_of;
use super::{
    BaseOrchestratorConfig, Environment, Error, PipelineDeploymentResponseModel, Result, Run,
    Stack, StackValidator, StandardEntrypoint, Step, StepEntrypointConfiguration,
};

/// Goes through the steps of a pipeline by itself, in one of two ways.
///
/// - A *direct* orchestrator runs each step with [`run_step`](Self::run_step). The engine decides what
///   has to run at all: caching, retries, timeouts, limits, failure modes, hooks, records, progress
///   and resuming come from it.
/// - One that *delegates* starts the [entrypoint](Self::get_step_entrypoint) of each step, or makes
///   something of the whole pipeline that a backend runs. Its flavor says so: [`Supply`] has
///   `delegates`. No engine drives then; entrypoints cache, retry and keep the time themselves. If
///   [`is_synchronous`] of its configuration is false, it is done when the run is submitted.
///
/// Whoever can start one step when told to implements [`StepLauncher`] instead.
///
/// ```
/// use partita::plugin::{
///     BaseOrchestrator, BaseOrchestratorConfig, Environment, PipelineDeploymentResponseModel,
///     Result, Run, Stack,
/// };
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct DirectConfig {}
///
/// impl BaseOrchestratorConfig for DirectConfig {}
///
/// /// Runs one step after another.
/// struct Direct {
///     run: Run,
/// }
///
/// impl BaseOrchestrator for Direct {
///     type Config = DirectConfig;
///
///     fn new(run: Run, _config: DirectConfig) -> Result<Self> {
///         Ok(Self { run })
///     }
///
///     fn run(&self) -> &Run {
///         &self.run
///     }
///
///     fn prepare_or_run_pipeline(
///         &self,
///         deployment: &PipelineDeploymentResponseModel,
///         _stack: &Stack,
///         _environment: &Environment,
///     ) -> Result<Option<String>> {
///         for step in deployment.steps.values() {
///             if self.requires_resources_in_orchestration_environment(step) {
///                 println!("{} asks for {:?}", step.name(), step.config.resource_settings);
///             }
///             self.run_step(step)?;
///         }
///         Ok(None)
///     }
/// }
/// ```
///
/// [`Supply`]: super::Supply
/// [`StepLauncher`]: super::StepLauncher
/// [`is_synchronous`]: BaseOrchestratorConfig::is_synchronous
pub trait BaseOrchestrator: Sized + Send + Sync + 'static {
    /// The type of its configuration.
    type Config: BaseOrchestratorConfig;

    /// Makes the orchestrator of a run.
    ///
    /// # Errors
    /// Why it cannot serve it.
    fn new(run: Run, config: Self::Config) -> Result<Self>;

    /// Returns the run that it was made for.
    fn run(&self) -> &Run;

    /// Runs the steps of a deployment, in the order of `deployment.steps`, or has them run.
    ///
    /// It is called on a thread of its own, and takes as long as it takes. `environment` has the
    /// variables that step entrypoints need in theirs, which whoever starts them sets there.
    ///
    /// Returns what it made of the pipeline, such as the text of a file that it has submitted; that
    /// is kept with the run.
    ///
    /// # Errors
    /// What [`run_step`](Self::run_step) returns, and whatever else keeps it from going on; steps that
    /// are not committed then have failed.
    fn prepare_or_run_pipeline(
        &self,
        deployment: &PipelineDeploymentResponseModel,
        stack: &Stack,
        environment: &Environment,
    ) -> Result<Option<String>>;

    /// Does what has to be done before [`prepare_or_run_pipeline`](Self::prepare_or_run_pipeline):
    /// nothing, unless you say otherwise.
    ///
    /// # Errors
    /// Why the pipeline cannot run.
    fn prepare_pipeline_deployment(
        &self,
        _deployment: &PipelineDeploymentResponseModel,
        _stack: &Stack,
    ) -> Result<()> {
        Ok(())
    }

    /// Ends what it has started, if its run is cancelled while it delegates. The process ends once
    /// this returns, and with it what it has started here; so jobs elsewhere are what this is for.
    /// Steps of a direct orchestrator end by themselves.
    fn cancel(&self) {}

    /// Returns what it asks of the stack that it is in.
    fn validator(&self) -> Option<StackValidator> {
        None
    }

    /// Returns how steps are entered.
    fn entrypoint(&self) -> &dyn StepEntrypointConfiguration {
        &StandardEntrypoint
    }

    /// Runs a step, unless it is cached, done or skipped, and returns when it has ended. Each attempt
    /// at it is a process that this one starts, in a process group of its own.
    ///
    /// Steps that do not depend on one another may be run at once, from several threads; so may the
    /// items of a mapped step, if several threads run that step. A step that failed is no error as
    /// long as the pipeline goes on without it.
    ///
    /// # Errors
    /// If no other step of the run is to begin: the step failed, or the run was cancelled. If a step
    /// that it depends on has not ended, or there is no run.
    fn run_step(&self, step: &Step) -> Result<()> {
        step.run(self.entrypoint())
    }

    /// Returns the command that runs a step wherever it is started, as [`entrypoint`] has it.
    ///
    /// It caches, retries, keeps the time and calls hooks by itself; of a mapped step it runs all
    /// items. The place needs the step's code, Partita, the artifact store and the `environment` of
    /// [`prepare_or_run_pipeline`]. The first word of Partita's own command is the Python that the run
    /// was begun with, or the step's own program; an image has others.
    ///
    /// ```
    /// # use partita::plugin::*;
    /// # #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// # struct QueueConfig {}
    /// # impl BaseOrchestratorConfig for QueueConfig {}
    /// # struct Queue { run: Run }
    /// # impl BaseOrchestrator for Queue {
    /// #     type Config = QueueConfig;
    /// #     fn new(run: Run, _: QueueConfig) -> Result<Self> { Ok(Self { run }) }
    /// #     fn run(&self) -> &Run { &self.run }
    /// fn prepare_or_run_pipeline(
    ///     &self,
    ///     deployment: &PipelineDeploymentResponseModel,
    ///     _stack: &Stack,
    ///     environment: &Environment,
    /// ) -> Result<Option<String>> {
    ///     for step in deployment.steps.values() {
    ///         std::process::Command::new("submit")
    ///             .arg(format!("--name={}-{}", self.get_orchestrator_run_id(), step.name()))
    ///             .arg(format!("--after={}", step.spec.upstream_steps.join(",")))
    ///             .args(self.get_step_entrypoint(step)?)
    ///             .envs(environment)
    ///             .status()?;
    ///     }
    ///     Ok(None)
    /// }
    /// # }
    /// ```
    ///
    /// [`entrypoint`]: Self::entrypoint
    /// [`prepare_or_run_pipeline`]: Self::prepare_or_run_pipeline
    ///
    /// # Errors
    /// If options have no value, or there is no run.
    fn get_step_entrypoint(&self, step: &Step) -> Result<Vec<String>> {
        step.command(self.entrypoint())
    }

    /// Returns the image that a step runs in; without a name, the one that all steps have in common.
    /// The flavor's [`Supply`](super::Supply) says with `images` that steps run in theirs; a pipeline
    /// that asks for images is refused otherwise.
    ///
    /// # Errors
    /// If there is no such step, it asks for no image, or steps ask for several.
    fn get_image(
        &self,
        deployment: &PipelineDeploymentResponseModel,
        step_name: Option<&str>,
    ) -> Result<String> {
        deployment.image(step_name, self.run())
    }

    /// Returns whether a step asks for resources, which whoever runs it has to give it.
    fn requires_resources_in_orchestration_environment(&self, step: &Step) -> bool {
        let resources = &step.config.resource_settings;
        resources.cpu_count.is_some()
            || resources.memory.is_some()
            || resources.gpu_count.is_some_and(|count| count > 0)
    }

    /// Returns the id of the run: the same for all its steps, and another for each run. What else an
    /// orchestrator calls it is kept with the run, if it is known when [`new`](Self::new) returns.
    fn get_orchestrator_run_id(&self) -> &str {
        &self.run().run_id
    }

    /// Returns the settings of a step as the type of which [`settings_schema`] is the schema.
    ///
    /// [`settings_schema`]: super::BaseOrchestratorFlavor::settings_schema
    ///
    /// # Errors
    /// If they are not of this type.
    fn get_settings<S: DeserializeOwned>(&self, step: &Step) -> Result<S> {
        settings_of(&step.config.settings, step.name())
    }
}

/// Returns the error of something that needs a run where there is none.
pub(super) fn outside(method: &str) -> Error {
    Error::failed(format!(
        "`{method}` was called outside of a run; call it in `prepare_or_run_pipeline`, with a step of its deployment"
    ))
}
