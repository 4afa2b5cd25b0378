//! A plugin as the engine's launcher.
//!
//! Nothing here waits for the plugin but `find`: what is asked is written down, and its answer, when
//! it comes, moves the attempt on. The plugin is started with the first attempt and serves the whole
//! run. If it dies, it is started again, and asked for what still runs if it can `find` that.

mod attempts;
mod desk;
mod direct;
mod flight;
mod life;
mod untold;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use partita_core::deployment::{Deployment, Program, Step};
use partita_core::launcher::{
    Attempt, Job, JobStatus, LaunchError, Outcome, PROGRAM_ENTRYPOINT, PYTHON_ENTRYPOINT, Reports,
    StepLauncher, run_arguments,
};

use crate::message::{Find, Found, Mode, Open, Run, Supply, method};
use crate::patience::Patience;
use crate::process::{CallError, PluginProcess};
use crate::start::Start;
use crate::terms;
use desk::Desk;
pub use direct::StepEnds;
use flight::{Flight, Stage};
pub(crate) use life::take_id;

/// How long a plugin lives on that was told twice to end its attempts, or that did not end them.
const AT_ONCE: Duration = Duration::from_secs(1);

/// How often a plugin that had begun may die in a run before it is given up.
const MOST_LOSSES: u32 = 3;

/// What Python is called in images.
const PYTHON_OF_IMAGES: &str = "python";

/// A run that a plugin launches attempts for.
pub struct OpenRun {
    /// The plugin.
    pub start: Start,
    /// What it is told of the run.
    pub open: Open,
    /// The Python that runs steps where the plugin starts them.
    pub interpreter: PathBuf,
    /// What is run.
    pub deployment: Arc<Deployment>,
    /// Which of its steps were committed before.
    pub committed: Vec<bool>,
    /// How long it may take to answer.
    pub patience: Patience,
    /// Takes what it prints.
    pub record: Arc<dyn Record>,
    /// Hands steps their secrets.
    pub hand: Hand,
}

impl OpenRun {
    /// Returns the command that enters steps, those of a program if one is given, without its options.
    /// In an image that is the Python of the image.
    fn entry(&self, program: Option<&Program>, is_in_image: bool) -> Vec<String> {
        let python = |interpreter| vec![interpreter, "-m".to_owned(), PYTHON_ENTRYPOINT.to_owned()];
        match program {
            Some(program) => vec![program.path.clone(), PROGRAM_ENTRYPOINT.to_owned()],
            None if is_in_image => python(PYTHON_OF_IMAGES.to_owned()),
            None => python(self.interpreter.display().to_string()),
        }
    }

    /// Returns what the plugin is told when it is to go through the steps by itself.
    pub(crate) fn message(&self, handed: Option<&Handed>) -> Run {
        let Open { artifact_store, deployment_id, run_id, .. } = &self.open;
        let mut command = self.entry(None, false);
        command.extend(run_arguments(artifact_store, deployment_id, run_id));
        command.push("--attempt=auto".to_owned());
        Run { command, environment: terms::environment(handed) }
    }
}

/// Returns where processes of these steps find the values of the secrets that they take; `None` if
/// they take none.
pub type Hand = Box<dyn Fn(&[Step]) -> std::io::Result<Option<Handed>> + Send + Sync>;

/// Where the values of secrets are found, for as long as this is kept.
pub struct Handed {
    /// The path that the step entrypoint reads.
    pub path: String,
    /// What keeps them there.
    pub kept: Box<dyn std::any::Any + Send>,
}

/// Keeps what a plugin and its jobs print.
pub trait Record: Send + Sync {
    /// Takes a line that the plugin wrote to its standard error; it must not wait.
    fn printed(&self, line: &str);

    /// Returns what the plugin wrote without what is secret in it; of a text that was cut, without
    /// an end that may be the beginning of a secret.
    fn cleared(&self, text: &str, is_cut: bool) -> String;

    /// Takes what steps may ask of the plugin, as it says when it is opened.
    fn supplies(&self, _supply: &Supply) {}

    /// Takes the id that the orchestrator has for the run.
    fn identified(&self, _orchestrator_run_id: &str) {}

    /// Returns whether an attempt has left its step's commit, or its record.
    fn is_over(&self, attempt: &Attempt) -> bool;

    /// Notes that the plugin goes through the steps by itself, and may start their entrypoints.
    fn goes_by_itself(&self);

    /// Takes what the plugin made of the deployment.
    fn represented(&self, representation: &str);

    /// Takes what the job of an attempt printed that did not end well.
    fn job_printed(&self, attempt: &Attempt, text: &str);
}

/// Launches attempts with a plugin, which is ended when this is dropped.
pub struct PluginLauncher(Arc<Shared>);

struct Shared {
    run: OpenRun,
    state: Mutex<State>,
    /// Rung when the plugin is open, or never will be.
    settled: Condvar,
}

struct State {
    plugin: Plugin,
    losses: u32,
    /// Why the last one was lost.
    lost: String,
    /// By attempt id.
    flights: HashMap<String, Flight>,
    desk: Desk,
    /// Whom to ask for attempts that were put off.
    put_off: Option<Arc<dyn Reports>>,
    /// The secrets of entrypoints that the orchestrator starts by itself.
    handed: Option<Handed>,
}

enum Plugin {
    /// It is started with the next attempt.
    Closed,
    /// It was told of the run.
    Opening { process: Arc<PluginProcess>, can: Can },
    /// It serves the run.
    Open { process: Arc<PluginProcess>, can: Can, mode: Mode, poll_interval: f64 },
    /// It is given up, for this reason.
    Unusable(String),
}

impl State {
    /// Asks for attempts that were put off: for one at this step, or for every one.
    fn ask_for(&self, step: Option<usize>) {
        if let Some(reports) = &self.put_off {
            reports.asked(step);
        }
    }
}

impl Plugin {
    /// Returns whether it tells of ends by itself.
    fn tells(&self) -> bool {
        matches!(
            self,
            Self::Open { mode: Mode::Direct, .. }
                | Self::Open { can: Can { status: true, .. }, .. }
        )
    }

    /// Has its process end at once, if it has one.
    fn hurry(&self) {
        if let Self::Opening { process, .. } | Self::Open { process, .. } = self {
            process.hurry(AT_ONCE);
        }
    }
}

/// What the plugin can do besides what every one can.
#[derive(Debug, Clone, Copy, Default)]
struct Can {
    find: bool,
    logs: bool,
    status: bool,
}

impl PluginLauncher {
    /// Returns the launcher of a run; the plugin is started with its first attempt.
    pub fn new(run: OpenRun) -> Self {
        let desk = Desk::new(&run.deployment, &run.committed);
        let (plugin, flights) = (Plugin::Closed, HashMap::new());
        let state = State {
            plugin,
            losses: 0,
            lost: String::new(),
            flights,
            desk,
            put_off: None,
            handed: None,
        };
        let settled = Condvar::new();
        Self(Arc::new(Shared { run, state: Mutex::new(state), settled }))
    }

    /// Returns what is to be told of the steps' ends.
    pub fn step_ends(&self) -> StepEnds {
        StepEnds::of(&self.0)
    }
}

impl Drop for PluginLauncher {
    fn drop(&mut self) {
        let unusable = Plugin::Unusable("the run is over".to_owned());
        let mut state = self.0.until_it_is_through();
        let plugin = std::mem::replace(&mut state.plugin, unusable);
        if !state.flights.is_empty() {
            // The engine has given them up: it had its time.
            plugin.hurry();
        }
        for told in state.flights.values().filter_map(Flight::unseen) {
            self.0.run.record.printed(&told);
        }
        drop(state);
        // Its end is waited for, and it may have something to tell meanwhile.
        drop(plugin);
    }
}

impl StepLauncher for PluginLauncher {
    /// A plugin takes attempts once it is open, and one that goes through the steps by itself those at
    /// the steps that it has asked for.
    fn takes(&self, attempt: &Attempt, reports: &Arc<dyn Reports>) -> Result<bool, String> {
        let mut state = self.0.state();
        self.0.ensure_started(&mut state)?;
        let is_taken = match &state.plugin {
            Plugin::Opening { .. } => false,
            Plugin::Open { mode: Mode::Direct, .. } => state.desk.takes(attempt.step)?,
            _ => true,
        };
        if !is_taken {
            state.put_off = Some(Arc::clone(reports));
        }
        Ok(is_taken)
    }

    fn launch(&self, attempt: Attempt, reports: &Arc<dyn Reports>) -> Result<Job, LaunchError> {
        let id = attempt.id();
        let mut state = self.0.state();
        self.0.ensure_started(&mut state).map_err(LaunchError::Refused)?;
        let step = attempt.step;
        let handed = (self.0.run.hand)(std::slice::from_ref(attempt.step())).map_err(|error| {
            LaunchError::Refused(format!("its secrets cannot be handed over: {error}"))
        })?;
        let flight = Flight::new(attempt, Arc::clone(reports), Stage::Waiting, handed);
        state.flights.insert(id.clone(), flight);
        match &state.plugin {
            Plugin::Open { mode: Mode::Launcher, .. } => self.0.dispatch(&mut state, &id),
            Plugin::Open { mode: Mode::Direct, .. } => self.0.offer(&mut state, step),
            _ => {}
        }
        Ok(id)
    }

    /// Every end is reported; a plugin that does not tell of ends is asked, and not waited for.
    fn poll(&self, job: &Job) -> Result<JobStatus, LaunchError> {
        self.0.look_after(job);
        self.0.ask_status(&mut self.0.state(), job)
    }

    fn cancel(&self, job: &Job) -> Result<(), LaunchError> {
        let mut state = self.0.state();
        let Some(flight) = state.flights.get_mut(job) else { return Ok(()) };
        flight.cancels += 1;
        let is_impatient = flight.is_impatient();
        if is_impatient {
            state.plugin.hurry();
        }
        let Some(flight) = state.flights.get(job) else { return Ok(()) };
        match &flight.stage {
            Stage::Launching if !is_impatient => {} // It is cancelled as soon as it has a job.
            Stage::Waiting | Stage::Launching => {
                let flight = state.flights.remove(job);
                drop(state);
                if let Some(flight) = flight {
                    flight.report(Outcome::Cancelled);
                }
            }
            Stage::Running { job: backend_job } => {
                let backend_job = backend_job.clone();
                self.0.ask_cancel(&state, &backend_job, is_impatient.then_some(job));
            }
        }
        Ok(())
    }

    /// The plugin is asked once more, and lives on: other attempts are its own as well.
    fn force(&self, job: &Job) -> Result<(), LaunchError> {
        let state = self.0.state();
        if let Some(Stage::Running { job }) = state.flights.get(job).map(|flight| &flight.stage) {
            self.0.ask_cancel(&state, job, None);
        }
        Ok(())
    }

    fn poll_interval(&self) -> Option<f64> {
        match &self.0.state().plugin {
            plugin if plugin.tells() => Some(self.0.run.patience.look().as_secs_f64()),
            Plugin::Open { poll_interval, .. } => Some(*poll_interval),
            // It has not said yet how often.
            Plugin::Closed | Plugin::Opening { .. } => Some(0.1),
            Plugin::Unusable(_) => None,
        }
    }

    fn find(
        &self,
        attempt: &Attempt,
        reports: &Arc<dyn Reports>,
    ) -> Result<Option<Job>, LaunchError> {
        let (process, can) = self.0.open().map_err(LaunchError::Unreachable)?;
        if !can.find {
            self.0.tell_not_found(attempt);
            return Ok(None);
        }
        let id = attempt.id();
        let request = Find { attempt: id.clone() };
        let found = process.call::<_, Found>(method::FIND, &request, self.0.run.patience.answer);
        let found = found.map_err(|error| LaunchError::Unreachable(self.0.said(&error)))?;
        Ok(found.job.map(|job| {
            let stage = Stage::Running { job };
            let flight = Flight::new(attempt.clone(), Arc::clone(reports), stage, None);
            self.0.state().flights.insert(id.clone(), flight);
            id
        }))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of an attempt whose job may outlive its engine, where no job is found again.
    fn tell_not_found(&self, attempt: &Attempt) {
        if !matches!(self.state().plugin, Plugin::Open { mode: Mode::Launcher, .. }) {
            return; // Its steps ended with it.
        }
        let (number, step) = (attempt.number, &attempt.step().name);
        self.run.record.printed(&format!(
            "partita: attempt {number} at step `{step}` may still run: the orchestrator finds no job again (it has no `find`); another attempt is made"
        ));
    }

    /// Returns an error as a sentence about the plugin.
    fn said(&self, error: &CallError) -> String {
        self.run.start.said(error)
    }
}

/// Returns what takes an answer, if the launcher is still there then.
fn with<A>(
    shared: Weak<Shared>,
    take: impl FnOnce(&Arc<Shared>, Result<A, CallError>) + Send,
) -> impl FnOnce(Result<A, CallError>) + Send {
    move |answer| {
        if let Some(shared) = shared.upgrade() {
            take(&shared, answer);
        }
    }
}
