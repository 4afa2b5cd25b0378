//! What Partita and a plugin say to each other: types of the wire, and of nothing else.
//!
//! A field that an older side does not know is passed over, so that fields may be added without a
//! new version.

use std::collections::BTreeMap;

use partita_core::literal::Literal;
use partita_core::stack::Capabilities;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version of the protocol that this code speaks.
pub const PROTOCOL: u32 = 1;

/// The names of the messages.
pub mod method {
    /// Who is there; always the first.
    pub const HELLO: &str = "hello";
    /// What the flavor is.
    pub const DESCRIBE: &str = "describe";
    /// Whether a configuration is right.
    pub const VALIDATE: &str = "validate";
    /// A run begins, or is taken up.
    pub const OPEN: &str = "open";
    /// An attempt is to start.
    pub const LAUNCH: &str = "launch";
    /// How does a job stand?
    pub const POLL: &str = "poll";
    /// A job is to end.
    pub const CANCEL: &str = "cancel";
    /// What is the job of an attempt?
    pub const FIND: &str = "find";
    /// What did a job print?
    pub const LOGS: &str = "logs";
    /// A direct orchestrator is to go through the steps.
    pub const RUN: &str = "run";
    /// A direct orchestrator asks what to do for a step; a request of the plugin.
    pub const STEP: &str = "step";
    /// An attempt has ended; a notification of the plugin.
    pub const STATUS: &str = "status";
}

/// The code of an error that says that a backend is out of reach, and may be within it later.
pub const UNREACHABLE: i64 = -32001;

/// What a plugin can do besides `launch`, `poll` and `cancel`.
pub mod capability {
    /// It answers `find`.
    pub const FIND: &str = "find";
    /// It answers `logs`.
    pub const LOGS: &str = "logs";
    /// It sends `status` when an attempt ends, so that it need not be polled.
    pub const STATUS: &str = "status";
}

/// `hello`: the first request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of the protocol that Partita speaks.
    pub protocol: u32,
    /// The version of Partita.
    pub partita: String,
}

/// The answer to `hello`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The version of the protocol that the plugin speaks.
    pub protocol: u32,
    /// What it can do; a word that is not known is passed over.
    #[serde(default)]
    pub capabilities: Vec<String>,
}

/// The answer to `describe`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The flavor's name.
    pub name: String,
    /// The component type of its instances; `orchestrator`.
    #[serde(rename = "type")]
    pub component_type: String,
    /// One sentence on what it does.
    #[serde(default)]
    pub description: String,
    /// Where its documentation is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docs_url: Option<String>,
    /// Where its logo is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_url: Option<String>,
    /// The JSON Schema of a component's configuration.
    pub config_schema: Value,
    /// The JSON Schema of its settings on pipelines and steps; absent if it takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings_schema: Option<Value>,
    /// What its steps may ask for.
    #[serde(default)]
    pub supply: Supply,
}

/// What steps may ask of an orchestrator; a pipeline that asks for more is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Supply {
    /// Steps at once; absent for as many as are ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_parallelism: Option<usize>,
    /// Seconds that an attempt may take to end once it was cancelled.
    pub grace: f64,
    /// Processor cores of the steps that run at once.
    pub cpus: Amount,
    /// Bytes of memory of the steps that run at once.
    pub memory: Amount,
    /// Graphics processors of the steps that run at once.
    pub gpus: Amount,
}

/// Nothing.
const NONE: Amount = Amount::Number(0.0);
/// As much as anyone asks for.
const ANY: Amount = Amount::Any(Any::Any);

impl Default for Supply {
    /// Returns what is taken of a plugin that says nothing: no graphics processors, and no memory
    /// that anyone enforces.
    fn default() -> Self {
        Self { max_parallelism: None, grace: 10.0, cpus: ANY, memory: NONE, gpus: NONE }
    }
}

impl Supply {
    /// Returns what the compiler checks pipelines against.
    pub fn capabilities(&self) -> Capabilities {
        Capabilities {
            max_parallelism: self.max_parallelism,
            timeouts: true,
            grace: self.grace,
            loads_steps_again: true,
            cpus: self.cpus.number(),
            memory: self.memory.number().map(|bytes| bytes as u64),
            gpus: self.gpus.number().map(|count| count as u32),
            allow_unenforced: false,
        }
    }
}

/// A number, or `"any"`: as much as anyone asks for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Amount {
    /// So much.
    Number(f64),
    /// As much as anyone asks for.
    Any(Any),
}

impl Amount {
    /// Returns the number, or `None` if it is as much as anyone asks for.
    fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Any(Any::Any) => None,
        }
    }
}

/// The word `any`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Any {
    /// As much as anyone asks for.
    Any,
}

/// `validate`: a configuration that fits the schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validate {
    /// The configuration.
    pub config: BTreeMap<String, Literal>,
}

/// The answer to `validate`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Validated {
    /// What is wrong; nothing if it is right.
    #[serde(default)]
    pub problems: Vec<Problem>,
}

/// Something wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The key; absent if it is several together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong with it.
    pub message: String,
}

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
}

/// The answer to `open`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Opened {
    /// Who decides which step is next.
    pub mode: Mode,
    /// What it can do besides what `hello` said, now that its implementation is loaded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    /// Seconds between two polls of a job, where the plugin sends no `status`.
    pub poll_interval: f64,
}

impl Default for Opened {
    fn default() -> Self {
        Self { mode: Mode::Launcher, capabilities: Vec::new(), poll_interval: 1.0 }
    }
}

/// How a plugin is an orchestrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The engine launches each step when it may begin.
    Launcher,
    /// The plugin goes through the steps by itself, and asks for each.
    Direct,
}

/// `launch`: one try at one step.
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

/// The answer to `launch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The backend's name for it; `null` if the backend never had it, or has forgotten it.
    pub job: Option<String>,
}

/// The answer to `logs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logs {
    /// What the job printed, as far as the backend has it.
    pub text: String,
}

/// The answer to `poll`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusOf {
    /// The attempt's id.
    pub attempt: String,
    /// How it ended.
    pub status: Status,
}

/// `step`: which step a direct orchestrator wants to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRequest {
    /// The step invocation.
    pub step: String,
}

/// The answer to `step`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepAnswer {
    /// Make this attempt, send its `status`, and ask again.
    Attempt(StepAttempt),
    /// There is nothing more to do for the step.
    Ended(StepEnd),
}

/// An attempt that a direct orchestrator makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepAttempt {
    /// The attempt.
    pub attempt: AttemptInfo,
    /// Variables that an entrypoint would find in its environment.
    pub environment: BTreeMap<String, String>,
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
