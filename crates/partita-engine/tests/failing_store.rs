//! A run on an artifact store that fails some writes loses nothing that is committed, and
//! completes once it has been resumed often enough.

#![allow(clippy::expect_used, clippy::panic, reason = "tests may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use partita_core::deployment::{
    Deployment, Environment, Hooks, Input, Output, OutputReference, Pipeline, Step, StepConfig,
};
use partita_core::launcher::{Attempt, Job, JobStatus, LaunchError, Reports, StepLauncher};
use partita_core::literal::Literal;
use partita_core::run::Failure;
use partita_core::settings::{FailureMode, Retry};
use partita_core::stack::{Capabilities, Component, ComponentType, Delegates, Stack};
use partita_core::status::{RunStatus, StepStatus};
use partita_engine::drive::NoLimits;
use partita_engine::metadata::{MetadataStore, RunFilter, RunView, Runs, SqliteMetadataStore};
use partita_engine::runs::{LiveRun, NewRun, Place, RunError};
use partita_engine::step_runner::{
    Content, NewOutput, Returned, RunContext, StepCall, StepCaller, Stopped, run_attempt,
};
use partita_engine::store::{
    ArtifactStore, Documents, Durability, Hold, LeaseGuard, LeaseState, LocalArtifactStore, Result,
    Staging, StoreError, Watch,
};

const STEPS: usize = 5;

/// More resumes than any of these runs needs.
const PATIENCE: usize = 100;

/// Counts writes, and says which of them fail.
#[derive(Clone)]
struct Writes {
    count: Arc<AtomicU64>,
    fails: Fails,
}

type Fails = Arc<dyn Fn(u64) -> bool + Send + Sync>;

impl Writes {
    fn next(&self) -> io::Result<()> {
        let number = self.count.fetch_add(1, Relaxed);
        if (self.fails)(number) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

/// One write in `every` fails, in an order without a period, so that none of what an engine does
/// again and again fails for ever.
fn one_in(every: u32, seed: u64) -> Fails {
    Arc::new(move |number| {
        let digest = blake3::hash(&(1000 * seed + number).to_le_bytes());
        let drawn = digest.as_bytes().first_chunk().expect("it has more bytes");
        u32::from_le_bytes(*drawn).is_multiple_of(every)
    })
}

/// An artifact store that fails some writes.
struct Failing {
    store: LocalArtifactStore,
    writes: Writes,
}

impl Failing {
    fn next(&self, path: &str) -> Result<()> {
        self.writes.next().map_err(|error| StoreError::Failed {
            path: path.to_owned(),
            uri: self.store.uri().to_owned(),
            reason: error.to_string(),
            help: String::new(),
        })
    }
}

impl ArtifactStore for Failing {
    fn uri(&self) -> &str {
        self.store.uri()
    }
    fn read(&self, path: &str) -> Result<Bytes> {
        self.store.read(path)
    }
    fn read_from(&self, path: &str, offset: u64) -> Result<Bytes> {
        self.store.read_from(path, offset)
    }
    fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        self.next(path)?;
        self.store.write(path, bytes)
    }
    fn link(&self, from: &str, to: &str) -> Result<bool> {
        self.next(to)?;
        self.store.link(from, to)
    }
    fn create(&self, path: &str, bytes: Bytes) -> Result<bool> {
        self.next(path)?;
        self.store.create(path, bytes)
    }
    fn appender(&self, path: &str) -> Result<Box<dyn Write + Send>> {
        self.next(path)?;
        let (file, writes) = (self.store.appender(path)?, self.writes.clone());
        Ok(Box::new(FailingFile { file, writes }))
    }
    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        self.store.list(prefix)
    }
    fn delete(&self, prefix: &str) -> Result<()> {
        self.next(prefix)?;
        self.store.delete(prefix)
    }
    fn staging(&self, path: &str, owner: &str) -> Result<Staging> {
        self.next(path)?;
        self.store.staging(path, owner)
    }
    fn publish(&self, staging: Staging) -> Result<()> {
        self.next(staging.path())?;
        self.store.publish(staging)
    }
    fn fetch(&self, path: &str) -> Result<PathBuf> {
        self.store.fetch(path)
    }
    fn hold(&self) -> Result<Hold> {
        self.store.hold()
    }
    fn collecting(&self) -> Result<Hold> {
        self.store.collecting()
    }
    fn lease(&self, run_id: &str) -> Result<LeaseGuard> {
        self.next(run_id)?;
        self.store.lease(run_id)
    }
    fn lease_state(&self, run_id: &str) -> Result<LeaseState> {
        self.store.lease_state(run_id)
    }
    fn watch(&self, prefix: &str) -> Result<Box<dyn Watch>> {
        self.store.watch(prefix)
    }
}

/// A file that writes half of what it should when it fails.
struct FailingFile {
    file: Box<dyn Write + Send>,
    writes: Writes,
}

impl Write for FailingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.writes.next() {
            self.file.write_all(&bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        self.file.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The steps that were called, in order.
type Calls = Arc<Mutex<Vec<usize>>>;

/// Runs each attempt at once, and remembers it.
struct Here {
    context: Arc<RunContext>,
    calls: Calls,
}

impl StepLauncher for Here {
    fn launch(
        &self,
        attempt: Attempt,
        reports: &Arc<dyn Reports>,
    ) -> std::result::Result<Job, LaunchError> {
        self.calls.lock().expect("no panics").push(attempt.step);
        let outcome = run_attempt(&self.context, &attempt, &mut Counts);
        reports.ended(attempt.unit(), attempt.number, outcome);
        Ok(Job::new())
    }
    fn poll(&self, _: &Job) -> std::result::Result<JobStatus, LaunchError> {
        Ok(JobStatus::Active)
    }
    fn cancel(&self, _: &Job) -> std::result::Result<(), LaunchError> {
        Ok(())
    }
}

/// Returns its step's number: every other step in a file.
struct Counts;

impl StepCaller for Counts {
    fn call(&mut self, call: &StepCall<'_>) -> std::result::Result<Returned, Stopped> {
        let number = call.attempt.step.to_string();
        let content = if call.attempt.step.is_multiple_of(2) {
            Content::Inline(Literal::parse(&number).expect("JSON"))
        } else {
            let staging = call.stager().stage("out")?;
            fs::write(staging.folder().join("data.json"), number).expect("written");
            Content::Files(staging)
        };
        let output = NewOutput {
            name: "out".to_owned(),
            type_name: "builtins.int".to_owned(),
            format: "json".to_owned(),
            code: None,
            metadata: BTreeMap::new(),
            content,
        };
        Ok(Returned { outputs: vec![output] })
    }
    fn on_success(&mut self, _: &Attempt) -> std::result::Result<(), String> {
        Ok(())
    }
    fn on_failure(&mut self, _: &Attempt, _: &Failure) -> std::result::Result<(), String> {
        Ok(())
    }
}

fn step(number: usize) -> Step {
    let upstream = number.checked_sub(1).map(|above| format!("s{above}"));
    let input = |step: &String| {
        Input::Output(OutputReference { step: step.clone(), output: "out".to_owned() })
    };
    Step {
        name: format!("s{number}"),
        source: "m:s".to_owned(),
        parameters: BTreeMap::new(),
        inputs: upstream.iter().map(|step| ("x".to_owned(), input(step))).collect(),
        map_over: None,
        upstream_steps: upstream.into_iter().collect(),
        outputs: vec![Output { name: "out".to_owned(), type_name: None, materializer: None }],
        config: StepConfig {
            retry: Retry { max_retries: 1, ..Retry::default() },
            ..StepConfig::default()
        },
    }
}

fn chain() -> Arc<Deployment> {
    let component = |component_type| Component {
        name: "default".to_owned(),
        component_type,
        flavor: "local".to_owned(),
        config: BTreeMap::new(),
    };
    let mut deployment = Deployment {
        version: 1,
        id: String::new(),
        pipeline: Pipeline {
            name: "p".to_owned(),
            source: "m:p".to_owned(),
            parameters: BTreeMap::new(),
            failure_mode: FailureMode::FailFast,
            hooks: Hooks::default(),
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
        steps: (0..STEPS).map(step).collect(),
    };
    deployment.id = deployment.content_id().expect("an id");
    Arc::new(deployment)
}

/// A home whose artifact store fails some writes.
struct Home {
    folder: tempfile::TempDir,
    store: Arc<dyn ArtifactStore>,
    metadata: Arc<dyn MetadataStore>,
}

impl Home {
    fn new(fails: Fails) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = LocalArtifactStore::open(&folder.path().join("store"), Durability::Process);
        let writes = Writes { count: Arc::default(), fails };
        let metadata = SqliteMetadataStore::open(&folder.path().join("metadata.db"));
        Self {
            store: Arc::new(Failing { store: store.expect("a store"), writes }),
            metadata: Arc::new(metadata.expect("an index")),
            folder,
        }
    }

    /// Begins the run, or goes on with it, and drives it as far as it comes.
    fn drive(&self, run_id: Option<&str>, calls: &Calls) -> std::result::Result<(), RunError> {
        let (store, metadata) = (Arc::clone(&self.store), Arc::clone(&self.metadata));
        let live = match run_id {
            Some(run_id) => LiveRun::resume(run_id, store, metadata, || Ok(()))?,
            None => {
                let (deployment, name) = (chain(), Some("run".to_owned()));
                let new = NewRun { deployment, name, target: None, user: None, resumed_from: None };
                LiveRun::begin(new, store, metadata)?
            }
        };
        let here = Here { context: Arc::clone(live.context()), calls: Arc::clone(calls) };
        let capabilities = [Capabilities {
            max_parallelism: Some(1),
            timeouts: false,
            grace: 0.0,
            loads_steps_again: false,
            cpus: None,
            memory: None,
            gpus: None,
            gpu_classes: false,
            allow_unenforced: false,
            images: false,
            delegates: Delegates::No,
            claims: None,
        }];
        let place = Place { launcher: &here, capabilities: &capabilities, limits: &NoLimits };
        live.execute(place, &[], |_| {}).map(drop)
    }

    /// Returns the run of this home as an index shows it.
    fn shown(&self, metadata: &dyn MetadataStore) -> Option<RunView> {
        let stores = |_: &str| Ok(Arc::clone(&self.store));
        let runs = Runs::new(metadata, &stores);
        let run = runs.list(&RunFilter::default()).expect("runs").pop()?;
        Some(runs.get(&run.id).expect("a run"))
    }

    fn committed(&self, run_id: &str) -> Vec<usize> {
        let documents = Documents::new(&*self.store);
        let is_committed = |step: &usize| {
            let commit = documents.commit(run_id, *step, &format!("s{step}"));
            commit.expect("readable").is_some_and(|commit| commit.status == StepStatus::Completed)
        };
        (0..STEPS).filter(is_committed).collect()
    }

    /// Checks that the index can be made again as it is.
    fn check_index(&self) {
        let again = SqliteMetadataStore::open(&self.folder.path().join("again.db"));
        let again = again.expect("an index");
        let stores = |_: &str| Ok(Arc::clone(&self.store));
        Runs::new(&again, &stores).rebuild(&*self.store).expect("rebuilt");
        let [shown, again] = [&*self.metadata, &again].map(|index| {
            let view = self.shown(index).expect("a run");
            serde_json::to_string_pretty(&view).expect("JSON")
        });
        let lines = shown.lines().zip(again.lines());
        let unlike: Vec<_> = lines.filter(|(shown, again)| shown != again).collect();
        assert!(shown == again, "shown, and by the documents: {unlike:#?}");
    }
}

/// Resumes a run until it is complete on a store that fails some writes.
fn check(fails: Fails) {
    let home = Home::new(fails);
    let calls = Calls::default();
    for _ in 0..PATIENCE {
        let run_id = home.shown(&*home.metadata).map(|run| run.id);
        let before = run_id.as_deref().map(|run_id| home.committed(run_id)).unwrap_or_default();
        calls.lock().expect("no panics").clear();
        // Whether it ends well is not said: the documents count.
        let _ = home.drive(run_id.as_deref(), &calls);
        let again = calls.lock().expect("no panics").clone();
        assert!(!again.iter().any(|step| before.contains(step)), "{again:?} after {before:?}");
        let Some(run) = home.shown(&*home.metadata) else { continue };
        assert_ne!(run.status, RunStatus::Running);
        if run.status == RunStatus::Completed {
            assert_eq!(home.committed(&run.id).len(), STEPS);
            return home.check_index();
        }
    }
    panic!("it is not complete after {PATIENCE} engines");
}

#[test]
fn a_run_completes_on_a_store_that_fails_every_third_write() {
    (0..20).for_each(|seed| check(one_in(3, seed)));
}

#[test]
fn a_run_completes_on_a_store_that_fails_now_and_then() {
    (0..10).for_each(|seed| check(one_in(12, seed)));
}

#[test]
fn what_a_full_disk_refused_for_a_moment_is_written_later() {
    (0..40).for_each(|first| check(Arc::new(move |n| (first..first + 6).contains(&n))));
}
