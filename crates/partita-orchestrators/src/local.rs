//! The `local` orchestrator: each step in turn, in the process that started the run.
//!
//! The driver runs on a thread of its own and hands steps over; the author's main thread takes
//! them from [`LocalSteps`] and runs them, so that Ctrl-C, debuggers and signals work as in any
//! script. It cannot end a step against its will or bound its memory, and says so.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use partita_core::launcher::{Attempt, Job, JobStatus, LaunchError, Outcome, Reports, StepLauncher};
use partita_core::literal::Literal;
use partita_core::stack::{Capabilities, ComponentType, Flavor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    }
}

/// Returns what an orchestrator with this configuration can do.
///
/// # Errors
/// What is wrong with the configuration.
pub fn capabilities(config: &BTreeMap<String, Literal>) -> Result<Capabilities, serde_json::Error> {
    let config: LocalOrchestratorConfig = serde_json::from_slice(&serde_json::to_vec(config)?)?;
    Ok(Capabilities {
        max_parallelism: Some(1),
        timeouts: false,
        memory: false,
        gpus: false,
        allow_unenforced: config.allow_unenforced,
    })
}

/// What the main thread does next.
pub enum Next {
    /// It runs this step and reports its end.
    Step(Attempt, Arc<dyn Reports>),
    /// It looks after a signal and asks again.
    Signal,
    /// The run is over.
    Ended,
}

/// The launcher, as the driver sees it.
pub struct LocalLauncher(Arc<Desk>);

/// The steps to run, as the main thread sees them.
pub struct LocalSteps(Arc<Desk>);

/// Where steps lie between the two threads.
struct Desk {
    state: Mutex<State>,
    bell: EventFd,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Attempt, Arc<dyn Reports>)>,
    ended: bool,
}

/// Returns both ends of a `local` orchestrator.
///
/// # Errors
/// If the process has no descriptor left.
pub fn open() -> std::io::Result<(LocalLauncher, LocalSteps)> {
    let bell = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
    let desk = Arc::new(Desk { state: Mutex::default(), bell });
    Ok((LocalLauncher(Arc::clone(&desk)), LocalSteps(desk)))
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        // It fails only while it rings already.
        let _ = self.bell.write(1);
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
    /// Waits for what to do next. A signal ends the wait.
    pub fn next(&self) -> Next {
        loop {
            {
                let mut state = self.0.state();
                if let Some((attempt, reports)) = state.waiting.pop_front() {
                    return Next::Step(attempt, reports);
                }
                if state.ended {
                    return Next::Ended;
                }
            }
            let mut bell = [PollFd::new(self.0.bell.as_fd(), PollFlags::POLLIN)];
            if poll(&mut bell, PollTimeout::NONE) == Err(Errno::EINTR) {
                return Next::Signal;
            }
            let _ = self.0.bell.read();
        }
    }
}

impl StepLauncher for LocalLauncher {
    fn launch(&self, attempt: Attempt, reports: &Arc<dyn Reports>) -> Result<Job, LaunchError> {
        let job = attempt.id();
        self.0.state().waiting.push_back((attempt, Arc::clone(reports)));
        self.0.ring();
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
            reports.ended(attempt.step, attempt.number, Outcome::Cancelled);
        }
        Ok(())
    }
}
