//! A plugin as the engine's launcher.
//!
//! Nothing here waits for the plugin but `find`: what is asked is written down, and its answer, when
//! it comes, moves the attempt on. The plugin is started with the first attempt and serves the whole
//! run. If it dies, it is started again, and asked for what still runs if it can `find` that.

mod desk;
mod direct;
mod flight;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use partita_core::deployment::Deployment;
use partita_core::launcher::{
    Attempt, Job, JobStatus, LaunchError, Outcome, Reports, StepLauncher,
};
use partita_core::run::Failure;
use serde_json::Value;

use crate::frame::RpcError;
use crate::message::{
    Find, Found, JobRequest, Launched, Logs, Mode, Open, Opened, State as JobState, Status,
    StatusOf, UNREACHABLE, Welcome, capability, method,
};
use crate::patience::Patience;
use crate::process::{Answers, CallError, Listener, PluginProcess, unknown_method};
use crate::registration::{check_version, hello};
use crate::start::Start;
use desk::Desk;
pub use direct::StepEnds;
use flight::{Flight, Stage};

/// How often a plugin that had begun may die in a run before it is given up.
const MOST_LOSSES: u32 = 3;

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
}

/// Keeps what a plugin and its jobs print.
pub trait Record: Send + Sync {
    /// Takes a line that the plugin wrote to its standard error; it must not wait.
    fn printed(&self, line: &str);

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
    /// By attempt id.
    flights: HashMap<String, Flight>,
    desk: Desk,
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
        let state = State { plugin: Plugin::Closed, losses: 0, flights: HashMap::new(), desk };
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
        let plugin = std::mem::replace(&mut self.0.state().plugin, unusable);
        // Its end is waited for, and it may have something to tell meanwhile.
        drop(plugin);
    }
}

impl StepLauncher for PluginLauncher {
    fn launch(&self, attempt: Attempt, reports: &Arc<dyn Reports>) -> Result<Job, LaunchError> {
        let id = attempt.id();
        let mut state = self.0.state();
        self.0.ensure_started(&mut state).map_err(LaunchError::Refused)?;
        let step = attempt.step;
        let flight = Flight::new(attempt, Arc::clone(reports), Stage::Waiting);
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
        self.0.ask_status(&mut self.0.state(), job)
    }

    fn cancel(&self, job: &Job) -> Result<(), LaunchError> {
        let mut state = self.0.state();
        let Some(flight) = state.flights.get_mut(job) else { return Ok(()) };
        flight.cancels += 1;
        match &flight.stage {
            Stage::Waiting => {
                let flight = state.flights.remove(job);
                drop(state);
                if let Some(flight) = flight {
                    flight.report(Outcome::Cancelled);
                }
            }
            Stage::Launching => {} // Its job is cancelled as soon as it has one.
            Stage::Running { job: backend_job } => {
                let backend_job = backend_job.clone();
                self.0.ask_cancel(&state, &backend_job);
            }
        }
        Ok(())
    }

    fn poll_interval(&self) -> Option<f64> {
        match &self.0.state().plugin {
            Plugin::Open { mode: Mode::Direct, .. }
            | Plugin::Open { can: Can { status: true, .. }, .. } => None,
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
            return Ok(None);
        }
        let id = attempt.id();
        let request = Find { attempt: id.clone() };
        let found = process.call::<_, Found>(method::FIND, &request, self.0.run.patience.answer);
        let found = found.map_err(|error| LaunchError::Unreachable(self.0.said(&error)))?;
        Ok(found.job.map(|job| {
            let stage = Stage::Running { job };
            let flight = Flight::new(attempt.clone(), Arc::clone(reports), stage);
            self.0.state().flights.insert(id.clone(), flight);
            id
        }))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns an error as a sentence about the plugin.
    fn said(&self, error: &CallError) -> String {
        match error {
            CallError::Refused(error) => error.message.clone(),
            error => format!("{} {error}", self.run.start.what),
        }
    }

    /// Starts the plugin, unless it runs, and tells it of the run; it is open once it has answered.
    fn ensure_started(self: &Arc<Self>, state: &mut State) -> Result<(), String> {
        match &state.plugin {
            Plugin::Closed => {}
            Plugin::Opening { .. } | Plugin::Open { .. } => return Ok(()),
            Plugin::Unusable(why) => return Err(why.clone()),
        }
        let run = &self.run;
        let ear = |answers| Box::new(Ear { shared: Arc::downgrade(self), answers }) as _;
        let started = PluginProcess::start(run.start.command(), run.patience, ear);
        let process = started.map(Arc::new).map_err(|error| {
            let why = run.start.not_started(&error);
            state.plugin = Plugin::Unusable(why.clone());
            why
        })?;
        let patience = Some(run.patience.start);
        let shared = Arc::downgrade(self);
        process.ask(method::HELLO, &hello(), patience, with(shared, Self::welcomed));
        let shared = Arc::downgrade(self);
        process.ask(method::OPEN, &run.open, patience, with(shared, Self::opened));
        state.plugin = Plugin::Opening { process, can: Can::default() };
        Ok(())
    }

    /// Waits until the plugin is open, and returns it.
    fn open(self: &Arc<Self>) -> Result<(Arc<PluginProcess>, Can), String> {
        let mut state = self.state();
        loop {
            match &state.plugin {
                Plugin::Open { process, can, .. } => return Ok((Arc::clone(process), *can)),
                Plugin::Unusable(why) => return Err(why.clone()),
                Plugin::Closed => self.ensure_started(&mut state)?,
                Plugin::Opening { .. } => {
                    state = self.settled.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    fn welcomed(self: &Arc<Self>, answer: Result<Welcome, CallError>) {
        let welcome = match answer {
            Ok(welcome) => welcome,
            Err(CallError::Gone(_)) => return, // `gone` tells of it.
            Err(error) => return self.give_up(self.said(&error)),
        };
        if let Err(why) = check_version(&welcome) {
            return self.give_up(format!("{} {why}", self.run.start.what));
        }
        let has = |word: &str| welcome.capabilities.iter().any(|known| known == word);
        if let Plugin::Opening { can, .. } = &mut self.state().plugin {
            *can = Can {
                find: has(capability::FIND),
                logs: has(capability::LOGS),
                status: has(capability::STATUS),
            };
        }
    }

    fn opened(self: &Arc<Self>, answer: Result<Opened, CallError>) {
        let opened = match answer {
            Ok(opened) => opened,
            Err(CallError::Gone(_)) => return,
            Err(error) => return self.give_up(self.said(&error)),
        };
        let mut state = self.state();
        let opening = std::mem::replace(&mut state.plugin, Plugin::Closed);
        let Plugin::Opening { process, can } = opening else {
            state.plugin = opening;
            return;
        };
        let has = |word: &str| opened.capabilities.iter().any(|known| known == word);
        let can = Can {
            find: can.find || has(capability::FIND),
            logs: can.logs || has(capability::LOGS),
            status: can.status || has(capability::STATUS),
        };
        let Opened { mode, poll_interval, .. } = opened;
        state.plugin = Plugin::Open { process, can, mode, poll_interval };
        self.settled.notify_all();
        if mode == Mode::Direct {
            return self.begin(&mut state);
        }
        let ids: Vec<String> = state.flights.keys().cloned().collect();
        for id in ids {
            match state.flights.get(&id).map(|flight| &flight.stage) {
                Some(Stage::Waiting) => self.dispatch(&mut state, &id),
                Some(Stage::Launching | Stage::Running { .. }) => self.look_for(&state, &id),
                None => {}
            }
        }
    }

    /// Hands an attempt to the plugin.
    fn dispatch(self: &Arc<Self>, state: &mut State, id: &str) {
        let Plugin::Open { process, .. } = &state.plugin else { return };
        let Some(flight) = state.flights.get_mut(id) else { return };
        flight.stage = Stage::Launching;
        let launch = flight.launch(&self.run);
        let (shared, id) = (Arc::downgrade(self), id.to_owned());
        let answer = with(shared, move |shared, answer| shared.launched(&id, answer));
        process.ask(method::LAUNCH, &launch, Some(self.run.patience.answer), answer);
    }

    fn launched(self: &Arc<Self>, id: &str, answer: Result<Launched, CallError>) {
        let mut state = self.state();
        // It may have ended before its launch was answered.
        let Some(flight) = state.flights.get_mut(id) else { return };
        match answer {
            Ok(Launched { job }) => {
                flight.stage = Stage::Running { job: job.clone() };
                if flight.cancels > 0 {
                    self.ask_cancel(&state, &job);
                }
            }
            Err(CallError::Gone(_)) => {}
            Err(error) => {
                drop(state);
                let name = &self.run.open.component;
                let why = self.said(&error);
                let message = format!("the orchestrator `{name}` did not start the attempt: {why}");
                self.finish(id, Outcome::Failed(Failure::ours(message)));
            }
        }
    }

    fn ask_cancel(&self, state: &State, job: &str) {
        if let Plugin::Open { process, .. } = &state.plugin {
            let request = JobRequest { job: job.to_owned() };
            // A plugin that refuses has its grace, as one that accepts and does nothing.
            let patience = Some(self.run.patience.answer);
            process.ask(method::CANCEL, &request, patience, |_: Result<Value, _>| ());
        }
    }

    /// Asks how an attempt stands, unless that was asked or will be told.
    fn ask_status(self: &Arc<Self>, state: &mut State, id: &str) -> Result<JobStatus, LaunchError> {
        let Plugin::Open { process, can, mode, .. } = &state.plugin else {
            return Ok(JobStatus::Active);
        };
        let Some(flight) = state.flights.get_mut(id) else { return Ok(JobStatus::Active) };
        if let Stage::Running { job } = &flight.stage
            && *mode == Mode::Launcher
            && !can.status
            && !flight.is_asked
        {
            flight.is_asked = true;
            let request = JobRequest { job: job.clone() };
            let (shared, id) = (Arc::downgrade(self), id.to_owned());
            let answer = with(shared, move |shared, answer| shared.polled(&id, answer));
            process.ask(method::POLL, &request, Some(self.run.patience.answer), answer);
        }
        match &flight.unreachable {
            Some(why) => Err(LaunchError::Unreachable(why.clone())),
            None => Ok(JobStatus::Active),
        }
    }

    fn polled(self: &Arc<Self>, id: &str, answer: Result<Status, CallError>) {
        let mut state = self.state();
        let Some(flight) = state.flights.get_mut(id) else { return };
        flight.is_asked = false;
        flight.unreachable = None;
        match answer {
            Ok(status) => {
                drop(state);
                self.stands(id, status);
            }
            Err(CallError::Gone(_)) => {}
            Err(CallError::Refused(RpcError { code: UNREACHABLE, message })) => {
                flight.unreachable = Some(message);
            }
            Err(error) => {
                drop(state);
                let (name, why) = (&self.run.open.component, self.said(&error));
                let message =
                    format!("the orchestrator `{name}` cannot say how the attempt stands: {why}");
                self.finish(id, Outcome::Failed(Failure::ours(message)));
            }
        }
    }

    /// Takes in how an attempt stands.
    fn stands(self: &Arc<Self>, id: &str, status: Status) {
        let state = self.state();
        let Some(flight) = state.flights.get(id) else { return }; // It is told late, or again.
        let outcome = match status.state {
            JobState::Active => return,
            JobState::Completed => Outcome::Completed(None),
            JobState::Failed | JobState::Cancelled if flight.cancels > 0 => Outcome::Cancelled,
            JobState::Failed | JobState::Cancelled => Outcome::Failed(flight::failure(status)),
        };
        let printed = match (&state.plugin, &flight.stage, &outcome) {
            (
                Plugin::Open { process, can: Can { logs: true, .. }, .. },
                Stage::Running { job },
                Outcome::Failed(_),
            ) => Some((Arc::clone(process), job.clone())),
            _ => None,
        };
        drop(state);
        let Some((process, job)) = printed else { return self.finish(id, outcome) };
        let (shared, id) = (Arc::downgrade(self), id.to_owned());
        let answer = with(shared, move |shared, logs: Result<Logs, CallError>| {
            if let (Ok(logs), Some(flight)) = (logs, shared.state().flights.get(&id)) {
                shared.run.record.job_printed(&flight.attempt, &logs.text);
            }
            shared.finish(&id, outcome);
        });
        let request = JobRequest { job };
        process.ask(method::LOGS, &request, Some(self.run.patience.answer), answer);
    }

    /// Reports the end of an attempt, once.
    fn finish(&self, id: &str, outcome: Outcome) {
        let flight = self.state().flights.remove(id);
        if let Some(flight) = flight {
            flight.report(outcome);
        }
    }

    /// Ends the plugin for good: it cannot serve this run.
    fn give_up(&self, why: String) {
        let mut state = self.state();
        let plugin = std::mem::replace(&mut state.plugin, Plugin::Unusable(why.clone()));
        let flights = std::mem::take(&mut state.flights);
        self.settled.notify_all();
        drop(state);
        for flight in flights.into_values() {
            flight.lose(&why);
        }
        drop(plugin);
    }

    /// Takes in that the plugin has died.
    fn gone(self: &Arc<Self>, why: &str) {
        let mut state = self.state();
        let why = format!("{} {why}", self.run.start.what);
        let (can, mode) = match &state.plugin {
            Plugin::Closed | Plugin::Unusable(_) => return,
            Plugin::Opening { .. } => {
                drop(state);
                return self.give_up(why);
            }
            Plugin::Open { can, mode, .. } => (*can, *mode),
        };
        state.losses += 1;
        if state.losses >= MOST_LOSSES {
            drop(state);
            return self.give_up(why);
        }
        let lost = std::mem::replace(&mut state.plugin, Plugin::Closed);
        state.desk.forget();
        // What it had is looked for once the next one is open; what it was not given waits for that.
        let is_kept = |flight: &Flight| match mode {
            Mode::Launcher => can.find,
            Mode::Direct => matches!(flight.stage, Stage::Waiting),
        };
        let kept = state.flights.values().any(is_kept) && self.ensure_started(&mut state).is_ok();
        let is_lost = |_: &String, flight: &mut Flight| !(kept && is_kept(flight));
        let flights: Vec<Flight> =
            state.flights.extract_if(is_lost).map(|(_, flight)| flight).collect();
        self.settled.notify_all();
        drop(state);
        drop(lost);
        for flight in flights {
            flight.lose(&why);
        }
    }

    /// Asks a plugin that was started again for an attempt that an earlier one had.
    fn look_for(self: &Arc<Self>, state: &State, id: &str) {
        let Plugin::Open { process, .. } = &state.plugin else { return };
        let request = Find { attempt: id.to_owned() };
        let (shared, id) = (Arc::downgrade(self), id.to_owned());
        let answer = with(shared, move |shared, answer: Result<Found, CallError>| {
            let mut state = shared.state();
            match answer {
                Err(CallError::Gone(_)) => {}
                Ok(Found { job: Some(job) }) => {
                    if let Some(flight) = state.flights.get_mut(&id) {
                        flight.is_asked = false;
                        flight.stage = Stage::Running { job: job.clone() };
                        if flight.cancels > 0 {
                            shared.ask_cancel(&state, &job);
                        }
                    }
                }
                Ok(Found { job: None }) | Err(_) => {
                    let flight = state.flights.remove(&id);
                    drop(state);
                    if let Some(flight) = flight {
                        let what = &shared.run.start.what;
                        flight.lose(&format!("{what} died and does not find it again"));
                    }
                }
            }
        });
        process.ask(method::FIND, &request, Some(self.run.patience.answer), answer);
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

/// Hears what the plugin says by itself.
struct Ear {
    shared: Weak<Shared>,
    answers: Answers,
}

impl Listener for Ear {
    fn notified(&mut self, method: &str, params: Value) {
        let Some(shared) = self.shared.upgrade() else { return };
        if method == method::STATUS {
            match serde_json::from_value::<StatusOf>(params) {
                Ok(StatusOf { attempt, status }) => shared.stands(&attempt, status),
                Err(error) => {
                    shared.run.record.printed(&format!("partita: a wrong `status`: {error}"));
                }
            }
        }
    }

    fn asked(&mut self, id: Value, method: &str, params: Value) {
        match (method, self.shared.upgrade()) {
            (method::STEP, Some(shared)) => shared.asked_for_step(id, params, &self.answers),
            _ => self.answers.answer::<Value>(id, Err(unknown_method(method))),
        }
    }

    fn printed(&mut self, line: &str) {
        if let Some(shared) = self.shared.upgrade() {
            shared.run.record.printed(line);
        }
    }

    fn gone(&mut self, why: &str) {
        if let Some(shared) = self.shared.upgrade() {
            shared.gone(why);
        }
    }
}
