//! What is said of a run and of its attempts.

use std::collections::BTreeMap;

use partita_core::deployment::StepConfig;
use partita_core::literal::Literal;
use partita_core::stack;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::flavor::Supply;

/// `open`: the run that everything after it is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Open {
    /// The component's name.
    pub component: String,
    /// Its configuration.
    pub config: BTreeMap<String, Literal>,
    /// The run's id.
    pub run_id: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The deployment that the run executes.
    pub deployment_id: String,
    /// The URI of the artifact store, which holds the deployment.
    pub artifact_store: String,
    /// The stack that the run is on.
    #[serde(default)]
    pub stack: Stack,
    /// The image of each of its steps that runs in one, by the step's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<String, String>,
}

/// A stack, without the configurations of its components.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// Its components.
    pub components: Vec<StackComponent>,
}

/// A component of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackComponent {
    /// What it does: `orchestrator`, `artifact_store`, `image_builder`, `container_registry`.
    #[serde(rename = "type")]
    pub component_type: String,
    /// Its name.
    pub name: String,
    /// The flavor that it is an instance of.
    pub flavor: String,
}

impl From<&stack::Stack> for Stack {
    fn from(stack: &stack::Stack) -> Self {
        let components = stack.components().map(|component| StackComponent {
            component_type: component.component_type.as_str().to_owned(),
            name: component.name.clone(),
            flavor: component.flavor.clone(),
        });
        Self { name: stack.name.clone(), components: components.collect() }
    }
}

/// The answer to `open`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Opened {
    /// Who decides which step is next.
    pub mode: Mode,
    /// What it can do besides what `hello` said, now that its implementation is loaded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// Seconds between two polls of a job, where the plugin sends no `status`.
    pub poll_interval: f64,
    /// In the mode `delegated`: whether the run is over when `run` is answered.
    #[serde(skip_serializing_if = "is_true")]
    pub synchronous: bool,
    /// What steps may ask for by now; absent if it is certain to be what `describe` told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supply: Option<Supply>,
}

fn is_true(value: &bool) -> bool {
    *value
}

impl Default for Opened {
    fn default() -> Self {
        Self {
            mode: Mode::Launcher,
            capabilities: Vec::new(),
            poll_interval: 1.0,
            synchronous: true,
            supply: None,
        }
    }
}

/// How a plugin is an orchestrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The engine launches each step when it may begin.
    Launcher,
    /// The plugin goes through the steps by itself, and asks for each.
    Direct,
    /// The plugin goes through the steps by itself, and starts their entrypoints or has them started.
    Delegated,
}

/// `launch`: one try at one step. A direct orchestrator that asks for a step is told the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Launch {
    /// The attempt.
    pub attempt: AttemptInfo,
    /// What runs it, to be started where the step runs.
    pub command: Vec<String>,
    /// Variables that the command needs in its environment.
    pub environment: BTreeMap<String, String>,
    /// What the step asks for.
    pub resources: Resources,
    /// The image that the step runs in, if it asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The step's settings of the flavor.
    #[serde(default)]
    pub settings: BTreeMap<String, Literal>,
}

/// An attempt, as backends know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptInfo {
    /// Its id, which the backend carries as a name, a label or a comment so that `find` works.
    pub id: String,
    /// The run.
    pub run_id: String,
    /// The step invocation.
    pub step: String,
    /// The item, from 0, of a mapped step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// Its number, from 1.
    pub number: u32,
}

/// What a step asks for; what is absent was not asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// Processor cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_count: Option<f64>,
    /// Bytes of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Graphics processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_count: Option<u32>,
    /// Their class, in the words of the backend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_class: Option<String>,
    /// Seconds after which the engine cancels the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
}

impl Resources {
    /// Returns what a step of a deployment asks for.
    pub fn of(config: &StepConfig) -> Self {
        let resources = &config.resources;
        Self {
            cpu_count: resources.cpu_count,
            memory: resources.memory.map(|memory| memory.0),
            gpu_count: Some(resources.gpus()).filter(|count| *count > 0),
            gpu_class: resources.gpu_class.clone(),
            timeout: config.timeout.map(|timeout| timeout.0),
        }
    }
}

/// The answer to `launch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Launched {
    /// The backend's name for it.
    pub job: String,
}

/// `poll`, `cancel` and `logs`: which job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRequest {
    /// The backend's name for it.
    pub job: String,
}

/// `find`: which attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Find {
    /// The attempt's id.
    pub attempt: String,
}

/// The answer to `find`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// The backend's name for it; `null` if the backend never had it, or has forgotten it.
    pub job: Option<String>,
}

/// The answer to `logs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Logs {
    /// What the job printed, as far as the backend has it.
    pub text: String,
}

/// The answer to `poll`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// Where the job stands.
    pub state: State,
    /// The exit code of the command, if it has ended and that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits or runs.
    Active,
    /// Its command ended well.
    Completed,
    /// It did not.
    Failed,
    /// It was ended because someone asked for that.
    Cancelled,
}

/// `status`: an attempt has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatusOf {
    /// The attempt's id.
    pub attempt: String,
    /// How it ended.
    pub status: Status,
}

/// `identified`: what the orchestrator calls the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Identified {
    /// Its id there.
    pub orchestrator_run_id: String,
}

/// `run`: an orchestrator is to go through the steps by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// The beginning of the entrypoint of each step that it starts by itself; `--step_name=NAME`
    /// completes it.
    pub command: Vec<String>,
    /// Variables that these entrypoints need in their environment.
    pub environment: BTreeMap<String, String>,
}

/// The answer to `run`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Ran {
    /// What it made of the deployment, to be kept with the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub representation: Option<String>,
    /// Whether its end is left out, which may be that of a secret.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

/// `step`: which step a direct orchestrator wants to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepRequest {
    /// The step invocation.
    pub step: String,
}

/// The answer to `step`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepAnswer {
    /// Make this attempt, send its `status`, and ask again.
    Attempt(Box<Launch>),
    /// There is nothing more to do for the step.
    Ended(StepEnd),
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepEnd {
    /// `completed`, `cached`, `failed`, `skipped` or `cancelled`.
    pub status: String,
    /// Whether the run is over with it, so that no other step is to begin.
    pub stops: bool,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
