//! The deployment, as orchestrators read it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use indexmap::IndexMap;
use partita_core::deployment::{self, Deployment, Program};
use partita_core::literal::Literal;
use serde_json::{Map, Value};

use super::base_orchestrator::outside;
use super::step_entrypoint_configuration as entrypoint;
use super::step_runner::StepRunner;
use super::{EntrypointArguments, Error, Resources, Result, Run, StepEntrypointConfiguration};

/// A compiled pipeline on one stack.
#[derive(Debug, Clone)]
pub struct PipelineDeploymentResponseModel {
    /// The deployment's id.
    pub id: String,
    /// The pipeline's name.
    pub pipeline_name: String,
    /// What the pipeline was called with.
    pub parameters: Map<String, Value>,
    /// The steps by name; each comes after those that it depends on.
    pub steps: IndexMap<String, Step>,
}

/// One step of a deployment.
#[derive(Debug, Clone)]
pub struct Step {
    /// How it runs.
    pub config: StepConfiguration,
    /// What it is, and what it comes after.
    pub spec: StepSpec,
    /// The program that enters it, if Python does not.
    program: Option<String>,
    /// What runs it, in a run.
    runner: Option<Arc<StepRunner>>,
}

/// How a step runs.
#[derive(Debug, Clone)]
pub struct StepConfiguration {
    /// The step's name.
    pub name: String,
    /// The values that it is called with.
    pub parameters: Map<String, Value>,
    /// What it needs of a machine, and the seconds that an attempt may take.
    pub resource_settings: Resources,
    /// The image that it runs in.
    pub docker_settings: DockerSettings,
    /// How often a failed attempt is followed by another, if it is.
    pub retry: Option<StepRetryConfig>,
    /// Its settings of the orchestrator's flavor, by key.
    pub settings: Map<String, Value>,
}

/// What a step is, and what it comes after.
#[derive(Debug, Clone)]
pub struct StepSpec {
    /// `module:qualname` of its function.
    pub source: String,
    /// The names of the steps that end before it begins.
    pub upstream_steps: Vec<String>,
}

/// The image that a step runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerSettings {
    /// Its name, if the step asks for one.
    pub parent_image: Option<String>,
}

/// How often, and how patiently, a failed step is retried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepRetryConfig {
    /// Attempts allowed after the first one.
    pub max_retries: u32,
    /// The wait before the first retry, in seconds.
    pub delay: f64,
    /// The factor by which the wait grows with each further retry.
    pub backoff: f64,
}

impl PipelineDeploymentResponseModel {
    /// Reads a deployment document, such as `partita compile` writes. Its steps are those of no run.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(document: &[u8]) -> Result<Self> {
        let read = Deployment::read(document);
        let read = read.map_err(|error| Error::failed(format!("the deployment: {error}")))?;
        let step = |step| Step::of(step, read.program_of(step));
        let steps = read.steps.iter().map(|of| (of.name.clone(), step(of))).collect();
        let parameters = values(&read.pipeline.parameters);
        Ok(Self { id: read.id, pipeline_name: read.pipeline.name, parameters, steps })
    }

    /// Reads the deployment of a run from its artifact store.
    pub(super) fn of(run: &Run) -> Result<Self> {
        Self::load(&run.artifact_store, &run.deployment_id)
    }

    /// Reads a deployment from the artifact store at a URI.
    pub(super) fn load(uri: &str, id: &str) -> Result<Self> {
        let folder = uri.strip_prefix("file://").ok_or_else(|| {
            Error::failed(format!("the artifact store `{uri}` is none that can be read here"))
        })?;
        let path = Path::new(folder).join("deployments").join(format!("{id}.json"));
        let document = fs::read(&path).map_err(|error| {
            Error::failed(format!("the deployment `{}` cannot be read: {error}", path.display()))
        })?;
        Self::read(&document)
    }

    /// Has its steps run by a runner.
    pub(super) fn run_by(&mut self, runner: &Arc<StepRunner>) {
        for step in self.steps.values_mut() {
            step.runner = Some(Arc::clone(runner));
        }
    }

    /// Returns the image of a step of a run, or of all.
    pub(super) fn image(&self, step_name: Option<&str>, run: &Run) -> Result<String> {
        let what = match step_name {
            Some(name) => format!("step `{name}`"),
            None => format!("pipeline `{}`", self.pipeline_name),
        };
        let is_meant = |step: &&Step| step_name.is_none_or(|name| step.name() == name);
        let steps = self.steps.values().filter(is_meant);
        let mut images = steps.map(|step| run.images.get(step.name()));
        let Some(image) = images.next() else {
            return Err(Error::failed(format!("the deployment has no {what}")));
        };
        let asks = match image {
            _ if images.any(|other| other != image) => "asks for several images",
            Some(image) => return Ok(image.clone()),
            None => "asks for no image",
        };
        Err(Error::failed(format!(
            "{what} {asks}, and `{}` runs steps in one; name it with `settings={{\"docker\": DockerSettings(parent_image=…, skip_build=True)}}`, or name an image builder with `partita stack update STACK -i NAME`",
            run.component
        )))
    }
}

impl Step {
    fn of(step: &deployment::Step, program: Option<&Program>) -> Self {
        let (config, retry) = (&step.config, step.config.retry);
        Self {
            config: StepConfiguration {
                name: step.name.clone(),
                parameters: values(&step.parameters),
                resource_settings: Resources::of(config),
                docker_settings: DockerSettings {
                    parent_image: config.docker.parent_image.clone(),
                },
                retry: (!retry.is_never()).then_some(StepRetryConfig {
                    max_retries: retry.max_retries,
                    delay: retry.delay,
                    backoff: retry.backoff,
                }),
                settings: values(&config.settings),
            },
            spec: StepSpec {
                source: step.source.clone(),
                upstream_steps: step.upstream_steps.clone(),
            },
            program: program.map(|program| program.path.clone()),
            runner: None,
        }
    }

    /// Returns its name, unique in the deployment.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    pub(super) fn run(&self, entrypoint: &dyn StepEntrypointConfiguration) -> Result<()> {
        let runner = self.runner.as_ref().ok_or_else(|| outside("run_step"))?;
        runner.run(self.name(), entrypoint)
    }

    pub(super) fn command(&self, as_is: &dyn StepEntrypointConfiguration) -> Result<Vec<String>> {
        let runner = self.runner.as_ref().ok_or_else(|| outside("get_step_entrypoint"))?;
        let arguments = EntrypointArguments {
            step_name: self.name().to_owned(),
            attempt: None,
            item: None,
            settings: self.config.settings.clone(),
        };
        entrypoint::command(as_is, &arguments, runner.command(self.name(), self.program.as_deref()))
    }
}

/// Returns literals as what JSON has for them.
pub(super) fn values(literals: &BTreeMap<String, Literal>) -> Map<String, Value> {
    let value = serde_json::to_value(literals);
    value.and_then(serde_json::from_value).unwrap_or_default()
}

#[cfg(test)]
#[path = "pipeline_deployment_tests.rs"]
mod tests;
