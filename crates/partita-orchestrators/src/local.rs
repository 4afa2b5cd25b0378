//! The `local` orchestrator: each step in turn, in the process that started the run.
//!
//! The driver runs on a thread of its own and hands steps over; the author's main thread takes
//! them from [`LocalSteps`] and runs them, so that Ctrl-C, debuggers and signals work as in any
//! script. It cannot end a step against its will or bound its memory, and says so.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use partita_core::launcher::{
    Attempt, Job, JobStatus, LaunchError, Outcome, Reports, StepLauncher,
};
use partita_core::literal::Literal;
use partita_core::stack::{Capabilities, ComponentType, Delegates, Flavor};
use partita_engine::drive::Handover;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::machine;

/// The name of the flavor.
pub const NAME: &str = "local";

/// The configuration of a `local` orchestrator.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LocalOrchestratorConfig {
    /// Lets steps run whose timeout, memory or GPUs cannot be enforced here, instead of refusing
    /// the pipeline.
    pub allow_unenforced: bool,
}

/// Returns the flavor.
pub fn flavor() -> Flavor {
    Flavor {
        name: NAME.to_owned(),
        component_type: ComponentType::Orchestrator,
        description: "Runs each step in turn, in the process that started the run.".to_owned(),
        source: "built-in".to_owned(),
        config_schema: schemars::schema_for!(LocalOrchestratorConfig).to_value(),
        settings_schema: None,
        plugin: None,
    }
}

/// Seconds that a step has to end once it is interrupted: nothing can end it but itself.
const GRACE: f64 = 30.0;

/// Returns what an orchestrator with this configuration can do.
///
/// # Errors
/// What is wrong with the configuration.
pub fn capabilities(config: &BTreeMap<String, Literal>) -> Result<Capabilities, serde_json::Error> {
    let config: LocalOrchestratorConfig = serde_json::from_slice(&serde_json::to_vec(config)?)?;
    Ok(Capabilities {
        max_parallelism: Some(1),
        timeouts: false,
        grace: GRACE,
        loads_steps_again: false,
        cpus: Some(machine::processors() as f64),
        memory: Some(0),
        gpus: Some(0),
        gpu_classes: false,
        allow_unenforced: config.allow_unenforced,
        images: false,
        delegates: Delegates::No,
        claims: None,
    })
}

/// What the main thread does next.
pub enum Next {
    /// It runs this step and reports its end.
    Step(Attempt, Arc<dyn Reports>),
    /// It looks after signals and asks again.
    Signal,
    /// The run is over.
    Ended,
}

/// The launcher, as the driver sees it; a clone is the same one.
#[derive(Clone)]
pub struct LocalLauncher(Arc<Desk>);

/// The steps to run, as the main thread sees them.
pub struct LocalSteps {
    desk: Arc<Desk>,
    handover: Handover,
}

/// Where steps lie between the two threads.
struct Desk {
    state: Mutex<State>,
    /// What is written to `bell` wakes whoever waits at `ear`.
    bell: UnixStream,
    ear: UnixStream,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Attempt, Arc<dyn Reports>)>,
    ended: bool,
    /// Whether the main thread waits at the ear, and so has to be woken.
    asleep: bool,
}

/// Returns both ends of a `local` orchestrator.
///
/// # Errors
/// If the process has no descriptor left.
pub fn open() -> std::io::Result<(LocalLauncher, LocalSteps)> {
    let (bell, ear) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    ear.set_nonblocking(true)?;
    let desk = Arc::new(Desk { state: Mutex::default(), bell, ear });
    let steps = LocalSteps { desk: Arc::clone(&desk), handover: Handover::default() };
    Ok((LocalLauncher(desk), steps))
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        // It fails only while it rings already.
        let _ = (&self.bell).write(&[0]);
    }
}

impl LocalLauncher {
    /// Tells the main thread that the run is over.
    pub fn end(&self) {
        self.0.state().ended = true;
        self.0.ring();
    }
}

impl LocalSteps {
    /// Returns where a signal handler writes a byte to end the wait for the next step. Without
    /// that, a signal that comes just before the wait begins would be seen only after it.
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.desk.bell.as_fd()
    }

    /// Waits for what to do next. A signal ends the wait.
    pub fn next(&self) -> Next {
        if let Some(next) =
            self.handover.look_for(|| self.ready(false)).or_else(|| self.ready(true))
        {
            return next;
        }
        let mut ear = [PollFd::new(self.desk.ear.as_fd(), PollFlags::POLLIN)];
        // Whatever ended the wait, the next look tells what there is to do.
        let _ = poll(&mut ear, PollTimeout::NONE);
        let mut rings = [0; 64];
        while (&self.desk.ear).read(&mut rings).is_ok_and(|count| count > 0) {}
        self.ready(false).unwrap_or(Next::Signal)
    }

    /// Returns what there is to do now; if there is nothing, notes whether this thread will sleep.
    fn ready(&self, sleeps: bool) -> Option<Next> {
        let mut state = self.desk.state();
        state.asleep = sleeps && state.waiting.is_empty() && !state.ended;
        if let Some((attempt, reports)) = state.waiting.pop_front() {
            return Some(Next::Step(attempt, reports));
        }
        state.ended.then_some(Next::Ended)
    }
}

impl StepLauncher for LocalLauncher {
    fn launch(&self, attempt: Attempt, reports: &Arc<dyn Reports>) -> Result<Job, LaunchError> {
        let job = attempt.id();
        let mut state = self.0.state();
        state.waiting.push_back((attempt, Arc::clone(reports)));
        if state.asleep {
            self.0.ring();
        }
        Ok(job)
    }

    fn poll(&self, _job: &Job) -> Result<JobStatus, LaunchError> {
        Ok(JobStatus::Active)
    }

    /// Takes back a step that has not begun; one that runs ends by the interrupt that the main
    /// thread got, or by itself.
    fn cancel(&self, job: &Job) -> Result<(), LaunchError> {
        let mut state = self.0.state();
        let place = state.waiting.iter().position(|(attempt, _)| attempt.id() == *job);
        if let Some((attempt, reports)) = place.and_then(|place| state.waiting.remove(place)) {
            drop(state);
            reports.ended(attempt.unit(), attempt.number, Outcome::Cancelled);
        }
        Ok(())
    }
}
