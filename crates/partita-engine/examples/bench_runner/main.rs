//! Measures the DAG runner alone: driver and scheduler with a launcher and a resolver that do
//! nothing. Run it with `cargo run --release -p partita-engine --example bench_runner`; numbers of
//! steps may follow, else it takes 10,000, 100,000 and 1,000,000.
//!
//! Memory is what planning and running allocate at most beyond the deployment itself.

mod graph;

use std::alloc::{GlobalAlloc, Layout, System};
use std::error::Error;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use graph::{deployment, result};
use partita_core::launcher::{
    Attempt, Job, JobStatus, LaunchError, Outcome, Reports, StepLauncher, Unit,
};
use partita_core::run::{Failure, StepResult};
use partita_core::status::{RunStatus, StepStatus};
use partita_engine::drive::{Drive, Driver, NoLimits, Observer, Resolution, Resolver, RunEvent};
use partita_engine::schedule::{Action, Event, Outcome as Ended, Plan, Pool, Resolved, Scheduler};

/// The system's allocator, which counts.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// Counting allocations takes an allocator, and an allocator takes unsafe code; it forwards.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        ALLOCATIONS.fetch_add(1, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Says at once that an attempt has completed.
struct Nothing {
    result: Arc<StepResult>,
    /// How many items a mapped step has.
    items: u32,
}

impl StepLauncher for Nothing {
    fn launch(&self, attempt: Attempt, reports: &Arc<dyn Reports>) -> Result<Job, LaunchError> {
        let outcome = Outcome::Completed(Some(Arc::clone(&self.result)));
        reports.ended(attempt.unit(), attempt.number, outcome);
        Ok(Job::new())
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
        Ok(self.items)
    }

    fn gather(&self, _: usize) -> Result<Arc<StepResult>, Failure> {
        Ok(Arc::clone(&self.result))
    }

    fn committed(&self, _: Unit) -> Option<Arc<StepResult>> {
        None
    }

    fn recorded(&self, _: Unit, _: u32) -> Option<StepResult> {
        None
    }
}

impl Observer for Nothing {
    fn on(&self, _: &RunEvent) {}
}

/// A shape of graphs: which steps a step waits for.
type Shape = (&'static str, fn(usize) -> Vec<usize>);

/// The shape whose one step is mapped over as many items as the others have steps.
const MAP: Shape = ("items of one map", |_| Vec::new());

const LAYER: usize = 100;

const SHAPES: [Shape; 4] = [
    ("chain", |step| step.checked_sub(1).into_iter().collect()),
    ("fan-out", |step| if step == 0 { Vec::new() } else { vec![0] }),
    ("layers of 100, 3 edges a step", |step| match step.checked_sub(LAYER) {
        None => Vec::new(),
        Some(above) => {
            let layer = above / LAYER * LAYER;
            [0, 1, 7].map(|shift| layer + (above + shift) % LAYER).to_vec()
        }
    }),
    MAP,
];

const SLOTS: NonZeroUsize = match NonZeroUsize::new(16) {
    Some(slots) => slots,
    None => NonZeroUsize::MIN,
};

fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<usize> =
        std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let sizes = if given.is_empty() { vec![10_000, 100_000, 1_000_000] } else { given };
    println!("DAG runner alone, no-op launcher and resolver, {SLOTS} slots");
    println!(
        "{:<30} {:>9} {:>14} {:>14} {:>12} {:>12}",
        "graph", "steps", "driver steps/s", "pure steps/s", "bytes/step", "allocs/step"
    );
    // What a large graph leaves to the allocator would be cleared up by the small one after it.
    for &size in &sizes {
        for (name, shape) in SHAPES {
            measure(name, size, shape)?;
        }
    }
    Ok(())
}

fn measure(name: &str, size: usize, shape: fn(usize) -> Vec<usize>) -> Result<(), Box<dyn Error>> {
    let is_map = name == MAP.0;
    let mut deployment = deployment(if is_map { 1 } else { size }, shape);
    if is_map {
        deployment.steps[0].map_over = Some("x".to_owned());
    }
    let deployment = Arc::new(deployment);
    let run_id: Arc<str> = "bench".into();
    let items = u32::try_from(size)?;
    let nothing = Nothing { result: result(), items };
    let drive = Drive {
        deployment: &deployment,
        run_id: &run_id,
        launcher: &nothing,
        resolver: &nothing,
        limits: &NoLimits,
        observers: &[&nothing],
    };
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let driver = Driver::new(Plan::of(&deployment, vec![Pool::of(SLOTS)])?, drive);
    let allocations = ALLOCATIONS.load(Relaxed);
    let start = Instant::now();
    let outcome = driver.run();
    let seconds = start.elapsed().as_secs_f64();
    let allocations = ALLOCATIONS.load(Relaxed) - allocations;
    let bytes = PEAK.load(Relaxed).saturating_sub(before);
    if outcome.status != RunStatus::Completed {
        return Err(format!("the run ended as {}", outcome.status).into());
    }
    let pure = schedule(Plan::of(&deployment, vec![Pool::of(SLOTS)])?, items);
    let (count, steps) = (size, size as f64);
    println!(
        "{name:<30} {count:>9} {:>14.0} {:>14.0} {:>12.0} {:>12.2}",
        steps / seconds,
        steps / pure,
        bytes as f64 / steps,
        allocations as f64 / steps
    );
    Ok(())
}

/// Plays the scheduler without a driver; returns the seconds that took.
fn schedule(plan: Plan, items: u32) -> f64 {
    let mut scheduler = Scheduler::new(plan);
    let (mut actions, mut events) = (Vec::new(), vec![Event::Start]);
    let start = Instant::now();
    while let Some(event) = events.pop() {
        scheduler.handle(event, &mut actions);
        events.extend(actions.drain(..).filter_map(|action| answer(action, items)));
    }
    start.elapsed().as_secs_f64()
}

fn answer(action: Action, items: u32) -> Option<Event> {
    match action {
        Action::Expand { step } => Some(Event::Expanded { step, items: Some(items) }),
        Action::Gather { step } => Some(Event::Gathered { step, status: StepStatus::Completed }),
        Action::Resolve { step } => Some(Event::Resolved { step, answer: Resolved::Run }),
        Action::Launch { step, attempt } => {
            Some(Event::Ended { step, attempt, outcome: Ended::Completed })
        }
        _ => None,
    }
}
