//! The plugin of a run: started when it is needed, opened, lost, started again, given up.

use std::sync::{Arc, PoisonError, Weak};

use serde_json::Value;

use super::flight::{Flight, Stage};
use super::{Can, MOST_LOSSES, Plugin, Record, Shared, State, with};
use crate::message::{
    Find, Found, Identified, Mode, Opened, StatusOf, Welcome, capability, method,
};
use crate::process::{Answers, CallError, Listener, PluginProcess, read, unknown_method};
use crate::registration::{check_version, hello};

impl Shared {
    /// Starts the plugin, unless it runs, and tells it of the run; it is open once it has answered.
    pub(super) fn ensure_started(self: &Arc<Self>, state: &mut State) -> Result<(), String> {
        match &state.plugin {
            Plugin::Closed => {}
            Plugin::Opening { .. } | Plugin::Open { .. } => return Ok(()),
            Plugin::Unusable(why) => return Err(why.clone()),
        }
        let run = &self.run;
        let ear = |answers| Box::new(Ear { shared: Arc::downgrade(self), answers }) as _;
        let started = PluginProcess::start(run.start.command(), run.patience, ear);
        let process = started.map(Arc::new).map_err(|error| {
            let why = self.unopened(&run.start.not_started(&error));
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
    pub(super) fn open(self: &Arc<Self>) -> Result<(Arc<PluginProcess>, Can), String> {
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

    pub(super) fn welcomed(self: &Arc<Self>, answer: Result<Welcome, CallError>) {
        let welcome = match answer {
            Ok(welcome) => welcome,
            Err(CallError::Gone(_)) => return, // `gone` tells of it.
            Err(error) => return self.give_up(self.unopened(&self.said(&error))),
        };
        if let Err(why) = check_version(&welcome) {
            return self.give_up(self.unopened(&format!("{} {why}", self.run.start.what)));
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

    pub(super) fn opened(self: &Arc<Self>, answer: Result<Opened, CallError>) {
        let opened = match answer {
            Ok(opened) => opened,
            Err(CallError::Gone(_)) => return,
            Err(error) => {
                return self.give_up(self.unopened(&self.said(&error)));
            }
        };
        if let Some(supply) = &opened.supply {
            self.run.record.supplies(supply);
        }
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
        let mode = opened.mode;
        if mode == Mode::Delegated {
            drop(state);
            let name = &self.run.open.component;
            return self.give_up(format!(
                "the orchestrator `{name}` goes through whole pipelines by itself, and its flavor did not say so when it was registered; type `partita orchestrator flavor update`, or run the pipeline on a stack whose default it is"
            ));
        }
        // What is no length of time would be no poll at all.
        let poll_interval = opened.poll_interval.max(0.001);
        state.plugin = Plugin::Open { process, can, mode, poll_interval };
        self.settled.notify_all();
        if mode == Mode::Direct {
            return self.begin(&mut state);
        }
        state.ask_for(None);
        let ids: Vec<String> = state.flights.keys().cloned().collect();
        for id in ids {
            match state.flights.get(&id).map(|flight| &flight.stage) {
                Some(Stage::Waiting) => self.dispatch(&mut state, &id),
                Some(Stage::Launching | Stage::Running { .. }) => self.look_for(&state, &id),
                None => {}
            }
        }
    }

    fn unopened(&self, why: &str) -> String {
        format!("the orchestrator `{}` cannot be opened: {why}", self.run.open.component)
    }

    /// Ends the plugin for good: it cannot serve this run.
    pub(super) fn give_up(&self, why: String) {
        let mut state = self.state();
        let plugin = std::mem::replace(&mut state.plugin, Plugin::Unusable(why.clone()));
        let flights = std::mem::take(&mut state.flights);
        self.settled.notify_all();
        state.ask_for(None);
        drop(state);
        for flight in flights.into_values() {
            self.lose(flight, &why);
        }
        drop(plugin);
    }

    /// Reports that nothing more is known of an attempt, whose job may go on all the same.
    fn lose(&self, flight: Flight, why: &str) {
        if let Some(told) = flight.unseen() {
            self.run.record.printed(&told);
        }
        flight.lose(why);
    }

    /// Takes in that the plugin has died.
    pub(super) fn gone(self: &Arc<Self>, why: &str) {
        let mut state = self.state();
        let why = format!("{} {why}", self.run.start.what);
        let (can, mode) = match &state.plugin {
            Plugin::Closed | Plugin::Unusable(_) => return,
            Plugin::Opening { .. } => {
                drop(state);
                return self.give_up(self.unopened(&why));
            }
            Plugin::Open { can, mode, .. } => (*can, *mode),
        };
        state.losses += 1;
        if state.losses >= MOST_LOSSES {
            drop(state);
            let name = &self.run.open.component;
            return self.give_up(format!(
                "the orchestrator `{name}` failed, {MOST_LOSSES} times in this run: {why}"
            ));
        }
        state.lost.clone_from(&why);
        let lost = std::mem::replace(&mut state.plugin, Plugin::Closed);
        state.desk.forget();
        // What it had is looked for once the next one is open; what it was not given waits for that.
        let is_kept = |flight: &Flight| match mode {
            _ if flight.is_impatient() => false,
            Mode::Launcher => can.find,
            Mode::Direct | Mode::Delegated => matches!(flight.stage, Stage::Waiting),
        };
        // So are steps that one has not asked for that goes through them by itself.
        let is_needed = state.flights.values().any(is_kept)
            || (mode == Mode::Direct && state.put_off.is_some() && !state.desk.is_through());
        let kept = is_needed && self.ensure_started(&mut state).is_ok();
        if is_needed && !kept {
            state.ask_for(None);
        }
        let is_lost = |_: &String, flight: &mut Flight| !(kept && is_kept(flight));
        let flights: Vec<Flight> =
            state.flights.extract_if(is_lost).map(|(_, flight)| flight).collect();
        self.settled.notify_all();
        drop(state);
        drop(lost);
        for flight in flights {
            self.lose(flight, &why);
        }
    }

    /// Asks a plugin that was started again for an attempt that an earlier one had.
    pub(super) fn look_for(self: &Arc<Self>, state: &State, id: &str) {
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
                            shared.ask_cancel(&state, &job, None);
                        }
                    }
                }
                Ok(Found { job: None }) | Err(_) => {
                    let flight = state.flights.remove(&id);
                    let why = format!(
                        "{}; the plugin was started again, and does not find the job",
                        state.lost
                    );
                    drop(state);
                    if let Some(flight) = flight {
                        shared.lose(flight, &why);
                    }
                }
            }
        });
        process.ask(method::FIND, &request, Some(self.run.patience.answer), answer);
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
        match method {
            method::STATUS => match read::<StatusOf>(&params) {
                Ok(StatusOf { attempt, status }) => shared.stands(&attempt, status),
                // The end of some attempt is lost with it, and nobody would hear of it again.
                Err(why) => {
                    let what = &shared.run.start.what;
                    shared.give_up(format!("{what} sent a `status` that is none: {why}"));
                }
            },
            method::IDENTIFIED => take_id(&*shared.run.record, &params),
            _ => {}
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

    fn cleared(&self, text: &str, is_cut: bool) -> String {
        match self.shared.upgrade() {
            Some(shared) => shared.run.record.cleared(text, is_cut),
            None => String::new(), // Nobody is left to show it.
        }
    }

    fn gone(&mut self, why: &str) {
        if let Some(shared) = self.shared.upgrade() {
            shared.gone(why);
        }
    }
}

/// Takes in what a plugin says that the orchestrator calls the run.
pub(crate) fn take_id(record: &dyn Record, params: &Value) {
    match read::<Identified>(params) {
        Ok(Identified { orchestrator_run_id }) if orchestrator_run_id.is_empty() => {
            record.printed("partita: an `identified` that is none: it is empty");
        }
        Ok(Identified { orchestrator_run_id }) => record.identified(&orchestrator_run_id),
        Err(why) => record.printed(&format!("partita: an `identified` that is none: {why}")),
    }
}
