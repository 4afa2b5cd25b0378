//! What people and programs see of runs, artifacts and lineage; the JSON of `--output json`.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use partita_core::digest::Digest;
use partita_core::literal::Literal;
use partita_core::run::{Failure, RunHeader};
use partita_core::status::{RunStatus, StepStatus};
use partita_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A run without its steps, as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The run's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// Where it stands.
    pub status: RunStatus,
    /// The stack's name.
    pub stack: String,
    /// The orchestrator's name.
    pub orchestrator: String,
    /// The id that the orchestrator gave it.
    pub orchestrator_run_id: String,
    /// The deployment it executes.
    pub deployment_id: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Seconds from beginning to end.
    pub duration_s: Option<f64>,
    /// What went wrong.
    pub error: Option<String>,
    /// The URI of the artifact store that holds its documents.
    #[serde(skip)]
    pub store: String,
}

/// A run with everything in it: the JSON of `partita runs describe`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunView {
    /// The run's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// Where it stands.
    pub status: RunStatus,
    /// The stack's name.
    pub stack: String,
    /// The orchestrator's name.
    pub orchestrator: String,
    /// The id that the orchestrator gave it.
    pub orchestrator_run_id: String,
    /// The deployment it executes.
    pub deployment_id: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Seconds from beginning to end, with the pauses before it was resumed.
    pub duration_s: Option<f64>,
    /// When it was taken up again, each time.
    pub resumed_at: Vec<Timestamp>,
    /// The id of the run that it took the place of.
    pub resumed_from: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// The hooks that raised an exception.
    pub hook_failures: Vec<HookFailure>,
    /// What its pipeline was called with; `None` if its documents cannot be read here and now.
    pub parameters: Option<BTreeMap<String, Literal>>,
    /// What was noted about it as a whole.
    pub metadata: BTreeMap<String, Literal>,
    /// Its steps, in topological order.
    pub steps: IndexMap<String, StepView>,
    /// Its header, as in `run.json`; not part of the JSON.
    #[serde(skip)]
    pub header: Option<RunHeader>,
    /// The URI of the artifact store that holds its documents; not part of the JSON.
    #[serde(skip)]
    pub store: String,
}

/// A hook that raised an exception, which fails neither step nor run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookFailure {
    /// When.
    pub at: Timestamp,
    /// The step whose hook it is; `None` for one of the pipeline.
    pub step: Option<String>,
    /// The item, if the step is mapped; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// Which hook.
    pub hook: String,
    /// The exception.
    pub error: String,
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepView {
    /// Where it stands.
    pub status: StepStatus,
    /// Whether an earlier result was taken.
    pub cached: bool,
    /// Why it ran, or why it was cached.
    pub cache_reason: Option<String>,
    /// The steps that end before it begins.
    pub upstream: Vec<String>,
    /// When its first attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Seconds that its attempts took, without the time between them.
    pub duration_s: Option<f64>,
    /// Why it was skipped, or waits although an attempt began; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its attempts, by number; none for a cached step.
    pub attempts: Vec<AttemptView>,
    /// The artifact versions that it took, by input.
    pub inputs: BTreeMap<String, InputView>,
    /// The artifact versions that it made, by output.
    pub outputs: BTreeMap<String, OutputView>,
    /// What it and its materializers noted.
    pub metadata: BTreeMap<String, Literal>,
    /// Its items, each like a step; absent if it is not mapped, or its size is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<StepView>>,
}

impl StepView {
    /// Adds the items of a mapped step; it took from when the first of them began.
    pub(super) fn add_items(&mut self, items: Vec<StepView>) {
        let first = items.iter().filter_map(|item| item.started_at).min();
        self.started_at = first.or(self.started_at);
        if self.status.is_ended() {
            let last = items.iter().filter_map(|item| item.ended_at).max();
            self.ended_at = self.ended_at.or(last);
            self.duration_s = duration(self.started_at, self.ended_at);
        }
        self.items = Some(items);
    }
}

/// The state of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttemptStatus {
    /// It runs.
    Running,
    /// It succeeded.
    Completed,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// The engine ended while it ran.
    Interrupted,
}

impl AttemptStatus {
    /// Returns the word that the JSON uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }
}

/// One try at a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttemptView {
    /// Its number, from 1.
    pub number: u32,
    /// Where it stands.
    pub status: AttemptStatus,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The exit code, where a process ended.
    pub exit_code: Option<i32>,
    /// What went wrong, in one paragraph.
    pub error: Option<String>,
    /// The URI of its log; there is no such file if it logged nothing.
    pub log: String,
    /// The whole failure, with its traceback; not part of the JSON.
    #[serde(skip)]
    pub failure: Option<Failure>,
}

/// An artifact version that a step took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputView {
    /// The version's id.
    pub artifact_version: String,
    /// Where it is: its folder, or the place in a commit for a value that lives there.
    pub uri: String,
}

/// An artifact version that a step made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutputView {
    /// The artifact's name.
    pub artifact: String,
    /// The version's id.
    pub artifact_version: String,
    /// Where it is: its folder, or the place in a commit for a value that lives there.
    pub uri: String,
    /// The value's type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The format that its materializer wrote.
    pub materializer: String,
    /// The content digest.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
}

/// An artifact version and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArtifactView {
    /// The version, as steps show it.
    #[serde(flatten)]
    pub version: OutputView,
    /// The run that made it or, if that is deleted, one that took it from the cache.
    pub run_id: String,
    /// That run's name.
    pub run: String,
    /// That run's pipeline.
    pub pipeline: String,
    /// The step in that run.
    pub step: String,
    /// The item of it, if that is what made the version; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// The output of that step.
    pub output: String,
    /// When that step ended.
    pub created_at: Timestamp,
}

/// Where an artifact version comes from and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lineage {
    /// The artifact's name.
    pub artifact: String,
    /// The version's id.
    pub artifact_version: String,
    /// The steps that it comes from, the one that made it first.
    pub upstream: Vec<LineageStep>,
    /// The steps that took it, or something made from it, nearest first.
    pub downstream: Vec<LineageStep>,
}

/// A committed step between artifact versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineageStep {
    /// The run.
    pub run_id: String,
    /// Its name.
    pub run: String,
    /// The step.
    pub step: String,
    /// The item of it, if the step is mapped and one item stands here; absent otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// `completed`, or `cached` where the run that made the outputs is deleted.
    pub status: StepStatus,
    /// The versions that it took, by input.
    pub inputs: BTreeMap<String, String>,
    /// The versions that it made, by output.
    pub outputs: BTreeMap<String, String>,
}

/// Returns the seconds between two times, if both are known.
pub(super) fn duration(from: Option<Timestamp>, to: Option<Timestamp>) -> Option<f64> {
    Some(to?.seconds_since(from?))
}
