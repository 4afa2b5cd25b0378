//! Measures what a plugin adds to the engine: the DAG runner with a launcher that does nothing, in this
//! process and in a plugin. Used by `make bench`:
//!
//! ```sh
//! bench_launcher STEPS PLUGIN
//! bench_launcher STEPS PYTHON SOURCE SOURCE-ROOT
//! ```
//!
//! Prints, for a chain and for steps that are all ready at once, the shape and the microseconds a step in
//! this process and in the plugin, from the first end to the last: without the plugin's start.

#[path = "../../partita-engine/examples/bench_runner/graph.rs"]
mod graph;

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use graph::{deployment, result};
use partita_core::deployment::Deployment;
use partita_core::launcher::{
    Attempt, Job, JobStatus, LaunchError, Outcome, Reports, StepLauncher, Unit,
};
use partita_core::run::{Failure, StepResult};
use partita_core::status::RunStatus;
use partita_engine::drive::{Drive, Driver, NoLimits, Observer, Resolution, Resolver, RunEvent};
use partita_engine::home::Home;
use partita_engine::metadata::{MetadataStore, Registry};
use partita_engine::runs::{LiveRun, NewRun};
use partita_engine::schedule::{Plan, Pool};
use partita_plugin::message::Open;
use partita_plugin::{OpenRun, Patience, PluginLauncher, Record, Start};

/// A launcher whose attempts have ended when they begin, and what the engine needs besides.
struct Nothing(Arc<StepResult>);

impl StepLauncher for Nothing {
    fn launch(&self, attempt: Attempt, reports: &Arc<dyn Reports>) -> Result<Job, LaunchError> {
        reports.ended(attempt.unit(), attempt.number, Outcome::Completed(None));
        Ok(attempt.id())
    }

    fn poll(&self, _: &Job) -> Result<JobStatus, LaunchError> {
        Ok(JobStatus::Active)
    }

    fn cancel(&self, _: &Job) -> Result<(), LaunchError> {
        Ok(())
    }
}

impl Resolver for Nothing {
    fn resolve(&self, _: Unit) -> Resolution {
        Resolution::Run { reason: None }
    }

    fn expand(&self, _: usize) -> Result<u32, Failure> {
        Ok(0)
    }

    fn gather(&self, _: usize) -> Result<Arc<StepResult>, Failure> {
        Ok(Arc::clone(&self.0))
    }

    fn committed(&self, _: Unit) -> Option<Arc<StepResult>> {
        Some(Arc::clone(&self.0))
    }

    fn recorded(&self, _: Unit, _: u32) -> Option<StepResult> {
        None
    }
}

impl Record for Nothing {
    fn is_over(&self, _attempt: &Attempt) -> bool {
        false
    }

    fn goes_by_itself(&self) {}

    fn represented(&self, _representation: &str) {}

    fn cleared(&self, text: &str, _is_cut: bool) -> String {
        text.to_owned()
    }

    fn printed(&self, line: &str) {
        eprintln!("{line}");
    }

    fn job_printed(&self, _: &Attempt, _: &str) {}
}

impl Reports for Nothing {
    fn ended(&self, _: Unit, _: u32, _: Outcome) {}

    fn asked(&self, _: Option<usize>) {}
}

/// When the first step has ended.
#[derive(Default)]
struct First(Mutex<Option<Instant>>);

impl Observer for First {
    fn on(&self, event: &RunEvent) {
        if let RunEvent::StepEnded { .. } = event {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Instant::now);
        }
    }
}

/// Steps at once.
const SLOTS: NonZeroUsize = match NonZeroUsize::new(16) {
    Some(slots) => slots,
    None => NonZeroUsize::MIN,
};

/// A name, and which steps a step waits for.
type Shape = (&'static str, fn(usize) -> Vec<usize>);

const SHAPES: [Shape; 2] =
    [("chain", |step| step.checked_sub(1).into_iter().collect()), ("fan-out", |_| Vec::new())];

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (steps, words) = words.split_first().ok_or("how many steps?")?;
    let interpreter = PathBuf::from(words.first().map_or("python3", String::as_str));
    let start = match words {
        [plugin] => Start::executable(Path::new(plugin))?,
        [_, source, root] => Start::python(&interpreter, source, Path::new(root)),
        _ => return Err("which plugin?".into()),
    };
    let folder = tempfile::tempdir()?;
    let home = Home::open(folder.path())?;
    for (name, shape) in SHAPES {
        let mut deployment = deployment(steps.parse()?, shape);
        deployment.stack = home.metadata().stack("default")?;
        deployment.id = deployment.content_id()?;
        let deployment = Arc::new(deployment);
        let nothing = Arc::new(Nothing(result()));
        let here = measure(&deployment, "bench", &*nothing, &nothing)?;
        let (run, opened) = open(&home, &deployment, start.clone(), &interpreter, &nothing)?;
        let plugin = PluginLauncher::new(opened);
        let there = measure(&deployment, &run.header().id, &plugin, &nothing)?;
        // Steps count as committed whatever becomes of their attempts; it must serve still.
        let reports: Arc<dyn Reports> = Arc::clone(&nothing) as _;
        plugin.launch(one_more(&deployment, &run.header().id), &reports)?;
        let micros =
            |time: Duration| 1e6 * time.as_secs_f64() / (deployment.steps.len() - 1) as f64;
        println!("{name} {:.2} {:.2}", micros(here), micros(there));
    }
    Ok(())
}

/// Returns an attempt at the first step.
fn one_more(deployment: &Arc<Deployment>, run_id: &str) -> Attempt {
    let (deployment, run_id) = (Arc::clone(deployment), run_id.into());
    let (step, item, cache_reason) = (0, None, None);
    Attempt { deployment, run_id, step, item, number: 2, cache_reason, is_last: true }
}

/// Begins a run, so that its documents are there, and returns it as a plugin gets it.
fn open(
    home: &Home,
    deployment: &Arc<Deployment>,
    start: Start,
    interpreter: &Path,
    nothing: &Arc<Nothing>,
) -> Result<(LiveRun, OpenRun), Box<dyn Error>> {
    let store = home.artifact_store(&deployment.stack.artifact_store)?;
    let metadata: Arc<dyn MetadataStore> = Arc::clone(home.metadata()) as _;
    let deployment = Arc::clone(deployment);
    let new = NewRun {
        deployment: Arc::clone(&deployment),
        name: None,
        target: None,
        user: None,
        resumed_from: None,
    };
    let run = LiveRun::begin(new, Arc::clone(&store), metadata)?;
    let open = Open {
        component: "null".to_owned(),
        config: Default::default(),
        run_id: run.header().id.clone(),
        pipeline: deployment.pipeline.name.clone(),
        deployment_id: deployment.id.clone(),
        artifact_store: store.uri().to_owned(),
        stack: (&deployment.stack).into(),
        images: Default::default(),
    };
    let opened = OpenRun {
        start,
        open,
        interpreter: interpreter.to_owned(),
        committed: vec![false; deployment.steps.len()],
        deployment,
        patience: Patience::default(),
        record: Arc::clone(nothing) as _,
        hand: Box::new(|_| Ok(None)),
    };
    Ok((run, opened))
}

/// Drives a run; returns the time from the first end of a step to the last.
fn measure(
    deployment: &Arc<Deployment>,
    run_id: &str,
    launcher: &dyn StepLauncher,
    nothing: &Nothing,
) -> Result<Duration, Box<dyn Error>> {
    let first = First::default();
    let drive = Drive {
        deployment,
        run_id: &run_id.into(),
        launcher,
        resolver: nothing,
        limits: &NoLimits,
        observers: &[&first],
    };
    let driver = Driver::new(Plan::of(deployment, vec![Pool::of(SLOTS)])?, drive);
    let outcome = driver.run();
    if outcome.status != RunStatus::Completed {
        return Err(format!("the run ended as {}", outcome.status).into());
    }
    let began = first.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(began.map(|began| began.elapsed()).unwrap_or_default())
}
