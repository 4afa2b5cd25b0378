//! The step runner with a caller that returns what each case says.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use partita_core::artifact::{ArtifactVersion, content_digest, inline_files};
use partita_core::deployment::{
    Deployment, Environment, Input, Output, Pipeline, Step, StepConfig,
};
use partita_core::launcher::{Attempt, Outcome};
use partita_core::literal::Literal;
use partita_core::run::Failure;
use partita_core::settings::{FailureMode, Retry};
use partita_core::stack::{Component, ComponentType, Stack};
use partita_core::status::StepStatus;

use super::{
    Content, NewOutput, Returned, RunContext, StepCall, StepCaller, Stopped, load_folder,
    run_attempt,
};
use crate::store::{ArtifactStore, Documents, Durability, LocalArtifactStore, StoreError};

fn component(component_type: ComponentType) -> Component {
    Component {
        name: "default".to_owned(),
        component_type,
        flavor: "local".to_owned(),
        config: BTreeMap::new(),
    }
}

fn deployment(config: StepConfig) -> Deployment {
    Deployment {
        version: 1,
        id: "d".to_owned(),
        pipeline: Pipeline {
            name: "p".to_owned(),
            source: "m:p".to_owned(),
            parameters: BTreeMap::new(),
            failure_mode: FailureMode::FailFast,
            hooks: Default::default(),
        },
        stack: Stack {
            name: "default".to_owned(),
            orchestrators: vec![component(ComponentType::Orchestrator)],
            artifact_store: component(ComponentType::ArtifactStore),
            image_builder: None,
            container_registry: None,
        },
        environment: Environment::default(),
        sources: BTreeMap::new(),
        steps: vec![Step {
            name: "s".to_owned(),
            source: "m:s".to_owned(),
            parameters: BTreeMap::new(),
            inputs: BTreeMap::new(),
            map_over: None,
            upstream_steps: Vec::new(),
            outputs: vec![Output { name: "out".to_owned(), type_name: None, materializer: None }],
            config,
        }],
    }
}

/// A version that no step made.
fn literal_version() -> ArtifactVersion {
    let value = Literal::parse("1").expect("JSON");
    ArtifactVersion {
        artifact: "p.x".to_owned(),
        id: "v1".to_owned(),
        type_name: "builtins.int".to_owned(),
        format: "json".to_owned(),
        digest: content_digest("json", &inline_files(&value)),
        code: None,
        size: 1,
        value: Some(value),
        items: None,
        metadata: BTreeMap::new(),
    }
}

/// A run of one step on a store of its own.
struct Bench {
    _folder: tempfile::TempDir,
    store: Arc<dyn ArtifactStore>,
    context: RunContext,
}

impl Bench {
    fn new(config: StepConfig) -> Self {
        Self::of(deployment(config))
    }

    /// A step whose input `x` is this version.
    fn taking(version: ArtifactVersion) -> Self {
        let mut deployment = deployment(StepConfig::default());
        let input = Input::Artifact(version);
        deployment.steps[0].inputs.insert("x".to_owned(), input);
        Self::of(deployment)
    }

    fn of(deployment: Deployment) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store: Arc<dyn ArtifactStore> =
            Arc::new(LocalArtifactStore::open(folder.path(), Durability::Process).expect("store"));
        let context = RunContext::new("r", Arc::new(deployment), Arc::clone(&store));
        Self { _folder: folder, store, context }
    }

    fn attempt(&self, number: u32) -> Attempt {
        Attempt {
            deployment: Arc::clone(&self.context.deployment),
            run_id: Arc::clone(&self.context.run_id),
            step: 0,
            item: None,
            number,
            cache_reason: None,
            is_last: number > self.context.deployment.steps[0].config.retry.max_retries,
        }
    }

    fn run(&self, number: u32, caller: &mut Caller) -> Outcome {
        run_attempt(&self.context, &self.attempt(number), caller)
    }

    fn artifacts(&self) -> usize {
        self.store.list("artifacts/p.s.out").expect("listed").len()
    }
}

/// What a call does: writes these bytes as its output's file, or stops.
struct Caller {
    outcome: Result<&'static [u8], &'static str>,
    hooks: Vec<&'static str>,
}

impl Caller {
    fn returning(bytes: &'static [u8]) -> Self {
        Self { outcome: Ok(bytes), hooks: Vec::new() }
    }

    fn failing(message: &'static str) -> Self {
        Self { outcome: Err(message), hooks: Vec::new() }
    }
}

impl StepCaller for Caller {
    fn call(&mut self, call: &StepCall<'_>) -> Result<Returned, Stopped> {
        let epoch = Literal::parse("3").expect("JSON");
        call.notes.set(BTreeMap::from([("epoch".to_owned(), epoch)]));
        let bytes = match self.outcome {
            Ok(bytes) => bytes,
            Err("interrupt") => return Err(Stopped::Cancelled),
            Err(message) => return Err(Stopped::Failed(Failure::ours(message))),
        };
        let content = if bytes == b"7" {
            Content::Inline(Literal::parse("7").expect("JSON"))
        } else {
            let staging = call.stager().stage("out")?;
            fs::write(staging.folder().join("data.bin"), bytes).expect("written");
            Content::Files(staging)
        };
        let output = NewOutput {
            code: None,
            name: "out".to_owned(),
            type_name: "bytes".to_owned(),
            format: "bytes".to_owned(),
            metadata: BTreeMap::new(),
            content,
        };
        Ok(Returned { outputs: vec![output] })
    }

    fn on_success(&mut self, _attempt: &Attempt) -> Result<(), String> {
        self.hooks.push("success");
        Ok(())
    }

    fn on_failure(&mut self, _attempt: &Attempt, _failure: &Failure) -> Result<(), String> {
        self.hooks.push("failure");
        Ok(())
    }
}

#[test]
fn the_first_success_wins_and_a_late_twin_discards_its_outputs() {
    let bench = Bench::new(StepConfig::default());
    let first = bench.run(1, &mut Caller::returning(b"first"));
    let late = bench.run(2, &mut Caller::returning(b"late"));
    let (Outcome::Completed(Some(first)), Outcome::Completed(Some(late))) = (first, late) else {
        panic!("both attempts see the step completed");
    };
    assert_eq!(first, late);
    let committed = Documents::new(&*bench.store).commit("r", 0, "s").expect("read");
    assert_eq!(committed.as_ref(), Some(&*first));
    assert_eq!(bench.artifacts(), 1);
}

#[test]
fn a_failure_commits_nothing_and_its_hook_waits_for_the_last_attempt() {
    let retry = Retry { max_retries: 1, ..Retry::default() };
    let bench = Bench::new(StepConfig { retry, ..StepConfig::default() });
    let mut caller = Caller::failing("boom");
    assert!(matches!(bench.run(1, &mut caller), Outcome::Failed(_)));
    assert!(caller.hooks.is_empty());
    assert!(matches!(bench.run(2, &mut caller), Outcome::Failed(_)));
    assert_eq!(caller.hooks, ["failure"]);
    let documents = Documents::new(&*bench.store);
    assert_eq!(documents.commit("r", 0, "s").expect("read"), None);
    let result = documents.result("r", 0, "s", 1).expect("read").expect("a result");
    assert_eq!(result.status, StepStatus::Failed);
    assert_eq!(result.error.map(|error| error.message).as_deref(), Some("boom"));
}

#[test]
fn an_interrupted_call_is_no_failure() {
    let bench = Bench::new(StepConfig::default());
    let mut caller = Caller::failing("interrupt");
    assert!(matches!(bench.run(1, &mut caller), Outcome::Cancelled));
    assert!(caller.hooks.is_empty());
}

#[test]
fn an_attempt_keeps_its_inputs_and_metadata_however_it_ends() {
    for outcome in [Ok(&b"7"[..]), Err("boom"), Err("interrupt")] {
        let bench = Bench::taking(literal_version());
        bench.run(1, &mut Caller { outcome, hooks: Vec::new() });
        let documents = Documents::new(&*bench.store);
        let result = match outcome {
            Ok(_) => documents.commit("r", 0, "s"),
            Err(_) => documents.result("r", 0, "s", 1),
        };
        let result = result.expect("read").expect("a result");
        assert_eq!(result.metadata["epoch"].text(), "3", "{outcome:?}");
        assert_eq!(result.inputs["x"].id, "v1", "{outcome:?}");
    }
}

#[test]
fn a_value_has_the_same_digest_inline_and_in_a_file() {
    let bench = Bench::new(StepConfig::default());
    let Outcome::Completed(Some(result)) = bench.run(1, &mut Caller::returning(b"7")) else {
        panic!("completed");
    };
    let version = &result.outputs["out"];
    assert!(version.value.is_some());
    assert_eq!(bench.artifacts(), 0);
    let files = inline_files(version.value.as_ref().expect("inline"));
    assert_eq!(version.digest, content_digest("bytes", &files));
}

#[test]
fn a_changed_byte_is_found_before_the_value_is_used() {
    let bench = Bench::new(StepConfig::default());
    let Outcome::Completed(Some(result)) = bench.run(1, &mut Caller::returning(b"bytes")) else {
        panic!("completed");
    };
    let version = &result.outputs["out"];
    let folder = load_folder(&*bench.store, version).expect("whole");
    fs::write(folder.join("data.bin"), b"bytez").expect("written");
    assert!(matches!(load_folder(&*bench.store, version), Err(StoreError::Corrupt { .. })));
}

#[test]
fn a_manifest_cannot_name_files_elsewhere() {
    let bench = Bench::new(StepConfig::default());
    let Outcome::Completed(Some(result)) = bench.run(1, &mut Caller::returning(b"bytes")) else {
        panic!("completed");
    };
    let version = &result.outputs["out"];
    let folder = load_folder(&*bench.store, version).expect("whole");
    let outside = folder.parent().and_then(Path::parent).expect("a parent").join("outside");
    fs::write(&outside, b"bytes").expect("written");
    let manifest = folder.join("manifest.json");
    let text = fs::read_to_string(&manifest).expect("read");
    fs::write(&manifest, text.replace("data.bin", "../../outside")).expect("written");
    assert!(matches!(load_folder(&*bench.store, version), Err(StoreError::Corrupt { .. })));
}

#[test]
fn every_committed_result_is_offered_to_later_runs() {
    for (enable_cache, entries) in [(true, 1), (false, 1)] {
        let bench = Bench::new(StepConfig { enable_cache, ..StepConfig::default() });
        bench.run(1, &mut Caller::returning(b"7"));
        assert_eq!(bench.store.list("cache").expect("listed").len(), entries);
    }
}
