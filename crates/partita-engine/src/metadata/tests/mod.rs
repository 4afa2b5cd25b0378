//! A home with an engine in miniature: it writes a run's documents and tells the index, as the
//! real one does, so that what the index shows can be compared with what the documents say.

mod collecting;
mod opening;
mod rebuilding;
mod registering;
mod seam;
mod showing;

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use partita_core::artifact::ArtifactVersion;
use partita_core::deployment::{self, Deployment, Environment, Pipeline, Step, StepConfig};
use partita_core::digest::Digest;
use partita_core::launcher::Unit;
use partita_core::literal::Literal;
use partita_core::run::{
    Event, EventKind, Failure, InputReference, RunEnd, RunHeader, StepResult, VERSION,
};
use partita_core::settings::{FailureMode, Retry};
use partita_core::stack::{Component, ComponentType, Stack};
use partita_core::status::{RunStatus, StepStatus};
use partita_core::time::Timestamp;

use super::*;
use crate::store::{ArtifactStore, Durability, LeaseGuard, LocalArtifactStore, layout};

struct Home {
    folder: tempfile::TempDir,
    store: Arc<LocalArtifactStore>,
    index: Arc<SqliteMetadataStore>,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = LocalArtifactStore::open(&folder.path().join("store"), Durability::Process);
        let index = SqliteMetadataStore::open(&folder.path().join("metadata.db"));
        let (store, index) =
            (Arc::new(store.expect("a store")), Arc::new(index.expect("an index")));
        Self { folder, store, index }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("metadata.db")
    }

    fn with_runs<T>(&self, ask: impl FnOnce(&Runs<'_>) -> T) -> T {
        let store = self.store.clone();
        let stores = move |uri: &str| {
            assert_eq!(uri, store.uri());
            Ok(store.clone() as Arc<dyn ArtifactStore>)
        };
        ask(&Runs::new(&*self.index, &stores))
    }

    fn get(&self, reference: &str) -> Result<RunView> {
        self.with_runs(|runs| runs.get(reference))
    }

    fn append_event(&self, run_id: &str, line: &str) {
        let mut events = self.store.appender(&layout::events(run_id)).expect("opened");
        events.write_all(format!("{line}\n").as_bytes()).expect("appended");
    }

    /// Everything that can be seen of runs, artifacts and lineage, as JSON text.
    fn everything(&self) -> String {
        let runs = self.with_runs(|runs| runs.list(&RunFilter::default())).expect("runs");
        let views: Vec<RunView> =
            runs.iter().map(|run| self.get(&run.id).expect("a run")).collect();
        let artifacts = Artifacts::new(&*self.index);
        let versions = artifacts.list(&VersionFilter::default()).expect("versions");
        let lineage: Vec<Lineage> = versions
            .iter()
            .map(|view| artifacts.lineage(&view.version.artifact_version).expect("lineage"))
            .collect();
        serde_json::to_string_pretty(&(runs, views, versions, lineage)).expect("JSON")
    }

    /// Loses the database and makes it again from the artifact store.
    fn rebuilt(mut self) -> Self {
        let folder = self.folder.path().join("new.db");
        self.index = Arc::new(SqliteMetadataStore::open(&folder).expect("a new index"));
        let store = self.store.clone();
        let rebuilt = self.with_runs(|runs| runs.rebuild(&*store)).expect("rebuilt");
        assert!(rebuilt.problems.is_empty(), "{:?}", rebuilt.problems);
        self
    }
}

/// A chain of steps, each taking the one before; one whose name ends in `*` is mapped.
fn chain(names: &[&str]) -> Arc<Deployment> {
    let step = |(index, name): (usize, &&str)| Step {
        name: (*name).to_owned(),
        source: format!("m:{name}"),
        parameters: BTreeMap::new(),
        inputs: BTreeMap::new(),
        map_over: name.ends_with('*').then(|| "x".to_owned()),
        upstream_steps: index
            .checked_sub(1)
            .map(|index| names[index].to_owned())
            .into_iter()
            .collect(),
        outputs: Vec::new(),
        config: StepConfig {
            retry: Retry { max_retries: 1, ..Retry::default() },
            ..StepConfig::default()
        },
    };
    let component = |component_type| Component {
        name: "default".to_owned(),
        component_type,
        flavor: "local".to_owned(),
        config: BTreeMap::new(),
    };
    let mut deployment = Deployment {
        version: deployment::VERSION,
        id: String::new(),
        pipeline: Pipeline {
            name: "digits".to_owned(),
            source: "m:digits".to_owned(),
            parameters: BTreeMap::new(),
            failure_mode: FailureMode::default(),
            hooks: deployment::Hooks::default(),
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
        steps: names.iter().enumerate().map(step).collect(),
    };
    deployment.id = deployment.content_id().expect("an id");
    Arc::new(deployment)
}

/// An engine that drives one run.
struct Engine<'a> {
    home: &'a Home,
    writer: IndexWriter,
    run_id: Arc<str>,
    deployment: Arc<Deployment>,
    lease: Option<LeaseGuard>,
    now: i64,
    attempts: HashMap<Unit, u32>,
    versions: HashMap<Unit, ArtifactVersion>,
}

impl<'a> Engine<'a> {
    /// Begins run `number`, which is that many hours younger than run 0.
    fn start(home: &'a Home, number: u32, deployment: &Arc<Deployment>) -> Self {
        let run_id = format!("{number:032x}");
        let now = 1_700_000_000_000_000 + i64::from(number) * 3_600_000_000;
        let header = RunHeader {
            version: VERSION,
            id: run_id.clone(),
            name: format!("run-{number}"),
            pipeline: deployment.pipeline.name.clone(),
            deployment_id: deployment.id.clone(),
            stack: "default".to_owned(),
            orchestrator: "default".to_owned(),
            orchestrator_run_id: run_id.clone(),
            started_at: Timestamp(now),
            user: None,
            target: None,
            resumed_from: None,
            from_step: None,
        };
        let lease = home.store.lease(&run_id).expect("a lease");
        let start = RunStart {
            header,
            deployment: Some(deployment.clone()),
            store: home.store.uri().to_owned(),
            status: RunStatus::Running,
        };
        home.index.start_run(&start).expect("started");
        let engine = Self {
            home,
            writer: IndexWriter::start(home.index.clone()).expect("a writer"),
            run_id: Arc::from(run_id.as_str()),
            deployment: deployment.clone(),
            lease: Some(lease),
            now,
            attempts: HashMap::new(),
            versions: HashMap::new(),
        };
        engine.write(&layout::deployment(&deployment.id), &**deployment);
        engine.write(&layout::run_header(&run_id), &start.header);
        engine
    }

    fn write(&self, path: &str, document: &impl serde::Serialize) {
        let bytes = Bytes::from(serde_json::to_vec(document).expect("JSON"));
        self.home.store.write(path, bytes).expect("written");
    }

    fn tick(&mut self) -> Timestamp {
        self.now += 1_000_000;
        Timestamp(self.now)
    }

    fn step(&self, of: impl Into<Unit>) -> StepRun {
        let Unit { step: index, item } = of.into();
        StepRun { run_id: self.run_id.clone(), deployment: self.deployment.clone(), index, item }
    }

    fn name(&self, of: impl Into<Unit>) -> String {
        self.deployment.steps[of.into().step].name.clone()
    }

    fn event(&mut self, kind: EventKind) -> Timestamp {
        let at = self.tick();
        let line = serde_json::to_string(&Event { at, kind }).expect("JSON");
        self.home.append_event(&self.run_id, &line);
        at
    }

    /// Gives a mapped step its size.
    fn expand(&mut self, index: usize, items: u32) {
        self.event(EventKind::StepExpanded { step: self.name(index), items });
        self.writer.record(Change::StepExpanded { step: self.step(index), items });
    }

    fn begin(&mut self, of: impl Into<Unit>) {
        let unit = of.into();
        let attempt = self.attempts.get(&unit).map_or(1, |last| last + 1);
        self.attempts.insert(unit, attempt);
        let (step, item) = (self.name(unit), unit.item);
        let at = self.event(EventKind::AttemptStarted { step, item, attempt });
        self.writer.record(Change::StepStarted { step: self.step(unit), attempt, at });
    }

    fn result(&mut self, unit: Unit, status: StepStatus) -> StepResult {
        let (started_at, ended_at) = (self.tick(), self.tick());
        let before = unit.step.checked_sub(1).map(Unit::from);
        let input = before.and_then(|before| self.versions.get(&before));
        let reference = |version: &ArtifactVersion| InputReference {
            artifact: version.artifact.clone(),
            id: version.id.clone(),
            digest: version.digest,
            code: version.code,
        };
        StepResult {
            version: VERSION,
            run_id: self.run_id.to_string(),
            step: self.name(unit),
            item: unit.item,
            attempt: self.attempts.get(&unit).copied().unwrap_or(0),
            status,
            started_at,
            ended_at,
            inputs: input.map(|version| ("x".to_owned(), reference(version))).into_iter().collect(),
            outputs: BTreeMap::new(),
            cache_key: None,
            cache_reason: Some("caching is off".to_owned()),
            cached_from: None,
            error: None,
            metadata: BTreeMap::new(),
        }
    }

    /// Commits a step; odd ones keep their value in the commit.
    fn succeed(&mut self, of: impl Into<Unit>) {
        let unit = of.into();
        let mut result = self.result(unit, StepStatus::Completed);
        let name = self.name(unit);
        let (index, item) = (unit.step, unit.item.map_or(0, |item| item + 1));
        let value = (index % 2 == 1).then(|| Literal::parse("0.97").expect("a value"));
        let version = ArtifactVersion {
            artifact: format!("digits.{name}.output"),
            id: format!("{}{index:04x}{item:02x}{}", self.run_id, result.attempt),
            type_name: "builtins.float".to_owned(),
            format: "json".to_owned(),
            digest: Digest::of(name.as_bytes()),
            code: None,
            size: 4,
            value,
            items: None,
            metadata: BTreeMap::new(),
        };
        result.metadata.insert("epochs".to_owned(), Literal::parse("3").expect("a value"));
        result.outputs.insert("output".to_owned(), version);
        self.commit(unit, result);
    }

    /// Takes a step over from another engine's run.
    fn take(&mut self, index: usize, other: &ArtifactVersion, from: &str) {
        let mut result = self.result(index.into(), StepStatus::Cached);
        result.attempt = 0;
        result.cached_from = Some(from.to_owned());
        result.outputs.insert("output".to_owned(), other.clone());
        self.commit(index.into(), result);
    }

    fn commit(&mut self, unit: Unit, result: StepResult) {
        let name = self.name(unit);
        self.write(&layout::commit(&self.run_id, unit, &name), &result);
        self.versions.insert(unit, result.outputs["output"].clone());
        self.writer.record(Change::StepEnded { step: self.step(unit), result: Arc::new(result) });
    }

    fn fail(&mut self, of: impl Into<Unit>) {
        let unit = of.into();
        let mut result = self.result(unit, StepStatus::Failed);
        result.error =
            Some(Failure { kind: "ValueError".to_owned(), ..Failure::ours("no such digit") });
        let path = layout::result(&self.run_id, unit, &self.name(unit), result.attempt);
        self.write(&path, &result);
        let is_due = result.attempt <= 1;
        self.writer.record(Change::StepEnded { step: self.step(unit), result: Arc::new(result) });
        if is_due {
            self.writer.record(Change::StepRetrying { step: self.step(unit) });
        }
    }

    fn skip(&mut self, index: usize) {
        let reason = "`load` failed".to_owned();
        self.event(EventKind::StepSkipped { step: self.name(index), reason: reason.clone() });
        self.writer.record(Change::StepSkipped { step: self.step(index), reason });
    }

    fn cancel(&mut self, of: impl Into<Unit>) {
        let unit = of.into();
        let (step, item) = (self.name(unit), unit.item);
        let at = self.event(EventKind::StepCancelled { step, item });
        self.writer.record(Change::StepCancelled { step: self.step(unit), at });
    }

    fn note(&mut self, key: &str, value: &str) {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.event(EventKind::Metadata { key: key.clone(), value: value.clone() });
        self.writer.record(Change::RunMetadata { run_id: self.run_id.clone(), key, value });
    }

    /// Ends the run and gives the lease back.
    fn end(mut self, status: RunStatus) {
        let end = RunEnd { version: VERSION, status, ended_at: self.tick(), error: None };
        self.write(&layout::run_end(&self.run_id), &end);
        self.writer.record(Change::RunEnded { run_id: self.run_id.clone(), end });
        self.writer.flush().expect("flushed");
        drop(self.lease.take());
    }

    /// Dies without a word; what the writer had was written, or not, as chance has it.
    fn die(mut self) {
        drop(self.lease.take());
    }

    /// Dies, and another engine takes the run up.
    fn resume(&mut self) {
        self.event(EventKind::Resumed);
        self.writer.record(Change::RunResumed { run_id: self.run_id.clone() });
    }
}
