//! The documents of a run: its header, its step results, its events and its end.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::artifact::ArtifactVersion;
use crate::digest::Digest;
use crate::launcher::Unit;
use crate::literal::Literal;
use crate::status::{RunStatus, StepStatus};
use crate::time::Timestamp;

/// The version of these documents that this code reads and writes.
pub const VERSION: u32 = 1;

/// `run.json`: written once, when a run begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunHeader {
    /// The document format's version.
    pub version: u32,
    /// The run's id.
    pub id: String,
    /// The run's name, unique in its home.
    pub name: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The deployment it executes.
    pub deployment_id: String,
    /// The stack's name.
    pub stack: String,
    /// The orchestrator's name.
    pub orchestrator: String,
    /// The id that the orchestrator gave it.
    pub orchestrator_run_id: String,
    /// When it began.
    pub started_at: Timestamp,
    /// The operating-system user who began it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The folder of the author's code, so that `resume` can load it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// The run whose commits it took over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed_from: Option<String>,
    /// The step from which on it takes over nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_step: Option<String>,
}

/// How the author's pipeline was loaded and called, so that it can be again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// The source root.
    pub source_root: String,
    /// `module:qualname` of the pipeline under it, or a file; of a program, the pipeline's name.
    pub source: String,
    /// The interpreter that ran it.
    pub interpreter: String,
    /// The program that ran it, if no interpreter did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The configuration file that it was called with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// Options that it was called with, which its code does not hold: a JSON object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Literal>,
    /// What the command line said of caching.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_cache: Option<bool>,
    /// The parameters that the command line gave, which win over the configuration file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Literal>,
}

/// A step's commit, or the result of an attempt that did not succeed: how it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepResult {
    /// The document format's version.
    pub version: u32,
    /// The run that made it.
    pub run_id: String,
    /// The step invocation.
    pub step: String,
    /// The item, from 0, if this is one of a mapped step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// The attempt's number, from 1; 0 for a cached step and a mapped one, which have none.
    pub attempt: u32,
    /// `completed`, `cached`, `failed` or `cancelled`.
    pub status: StepStatus,
    /// When the attempt began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The artifact versions it took, by input; `name[0]` and `name[key]` inside lists and mappings.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, InputReference>,
    /// The artifact versions it made, by output.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, ArtifactVersion>,
    /// The cache key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_key: Option<Digest>,
    /// Why it ran, or why it was cached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_reason: Option<String>,
    /// The run that made the outputs, for a cached step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_from: Option<String>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// What the step and its materializers noted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Literal>,
}

/// An artifact version that a step took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InputReference {
    /// The artifact.
    pub artifact: String,
    /// The version's id.
    pub id: String,
    /// Its content digest.
    pub digest: Digest,
    /// The digest of the author's code that it brings along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Digest>,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// The exception's type, or `partita` for a failure of ours.
    #[serde(rename = "type")]
    pub kind: String,
    /// One paragraph.
    pub message: String,
    /// The author's traceback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceback: Option<String>,
    /// The exit code, where a process ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

impl Failure {
    /// Returns a failure that Partita itself found.
    pub fn ours(message: impl Into<String>) -> Self {
        Self {
            kind: "partita".to_owned(),
            message: message.into(),
            traceback: None,
            exit_code: None,
        }
    }
}

/// One line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What can happen in a run besides results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// An engine took the run up again.
    Resumed,
    /// A mapped step got its size.
    StepExpanded {
        /// The step invocation.
        step: String,
        /// How many items it has.
        items: u32,
    },
    /// An attempt was handed to its launcher.
    AttemptStarted {
        /// The step invocation.
        step: String,
        /// The item, if the step is mapped.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<u32>,
        /// The attempt's number.
        attempt: u32,
    },
    /// A step will not run in this execution.
    StepSkipped {
        /// The step invocation.
        step: String,
        /// Why.
        reason: String,
    },
    /// A step was cancelled before or while it ran.
    StepCancelled {
        /// The step invocation.
        step: String,
        /// The item that was running, where it was one of a mapped step.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<u32>,
    },
    /// Someone asked for the run to stop.
    CancelRequested,
    /// A hook raised an exception.
    HookFailed {
        /// The step invocation, or absent for the pipeline's hook.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<String>,
        /// The item, if the step is mapped.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<u32>,
        /// Which hook.
        hook: String,
        /// The exception.
        error: String,
    },
    /// Something was noted about the run from outside a step; `value` is JSON text.
    Metadata {
        /// The key.
        key: String,
        /// The value as JSON text.
        value: String,
    },
}

/// `end.json`: how a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunEnd {
    /// The document format's version.
    pub version: u32,
    /// `completed`, `failed` or `cancelled`.
    pub status: RunStatus,
    /// When.
    pub ended_at: Timestamp,
    /// What went wrong, in one paragraph.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// `submission.json`: an orchestrator goes through the steps of a run by itself, so that entrypoints
/// count their attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Submission {
    /// The document format's version.
    pub version: u32,
    /// The orchestrator's name.
    pub orchestrator: String,
    /// When it was handed the run.
    pub submitted_at: Timestamp,
    /// Who does the rest.
    pub ends: EndedBy,
    /// The last attempt that was made before, by step or item as in the ids of attempts: `2`, `2.7`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attempts: BTreeMap<String, u32>,
}

/// Who ends a run whose orchestrator goes through the steps by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// An engine that decides of each step whether it runs, and keeps what the entrypoint of a step
    /// cannot: timeouts and limits.
    Driver,
    /// An engine that waits for the orchestrator.
    Engine,
    /// The last entrypoint: no engine is there.
    Entrypoint,
}

impl Submission {
    /// Returns the last attempt that was made at a step or an item before.
    pub fn attempts_before(&self, unit: Unit) -> u32 {
        self.attempts.get(&unit.to_string()).copied().unwrap_or(0)
    }
}

/// `lease.json`: who drives a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lease {
    /// The document format's version.
    pub version: u32,
    /// The engine's process.
    pub pid: u32,
    /// The machine it runs on.
    pub host: String,
    /// Since when.
    pub since: Timestamp,
}
