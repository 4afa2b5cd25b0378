//! A plugin that is handed a whole run, and starts the entrypoints of its steps or has them started.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::Value;

use crate::frame::RpcError;
use crate::launcher::{Handed, OpenRun, Record, take_id};
use crate::message::{Mode, Opened, Ran, Welcome, method};
use crate::process::{Answers, CallError, Listener, PluginProcess, unknown_method};
use crate::registration::{check_version, hello};

/// A plugin that was started for a run, and what it answered when it was told of the run.
pub struct Delegate {
    process: PluginProcess,
    run: OpenRun,
    opened: OnceLock<Opened>,
    is_cancelled: AtomicBool,
}

impl Delegate {
    /// Starts the plugin of a run.
    ///
    /// # Errors
    /// Why it cannot be started.
    pub fn start(run: OpenRun) -> Result<Self, String> {
        let record = Arc::clone(&run.record);
        let listener = move |answers| Box::new(Ear { answers, record }) as _;
        let process = PluginProcess::start(run.start.command(), run.patience, listener)
            .map_err(|error| run.start.not_started(&error))?;
        Ok(Self { process, run, opened: OnceLock::new(), is_cancelled: AtomicBool::new(false) })
    }

    /// Tells it of the run, and waits until it has imported what it needs; returns whether it takes
    /// the whole run. Its steps are launched otherwise.
    ///
    /// # Errors
    /// Why it cannot serve the run.
    pub fn open(&self) -> Result<bool, String> {
        let Self { process, run, .. } = self;
        let patience = run.patience.start;
        let said = |error: CallError| run.start.said(&error);
        let welcome: Welcome = process.call(method::HELLO, &hello(), patience).map_err(said)?;
        check_version(&welcome).map_err(|why| format!("{} {why}", run.start.what))?;
        let opened: Opened = process.call(method::OPEN, &run.open, patience).map_err(said)?;
        if let Some(supply) = &opened.supply {
            run.record.supplies(supply);
        }
        Ok(self.opened.get_or_init(|| opened).mode == Mode::Delegated)
    }

    /// Returns whether the run is over when [`Self::run`] returns.
    pub fn is_synchronous(&self) -> bool {
        self.opened.get().is_none_or(|opened| opened.synchronous)
    }

    /// Ends it, and with it what [`Self::open`] and [`Self::run`] wait for; at once if it was told so
    /// before, or does not listen yet.
    pub fn cancel(&self) {
        let is_told = self.is_cancelled.swap(true, Ordering::SeqCst);
        self.process.close();
        if is_told || self.opened.get().is_none() {
            self.process.hurry(Duration::ZERO);
        }
    }

    /// Has it run the pipeline, or submit it.
    ///
    /// # Errors
    /// What went wrong.
    pub fn run(&self) -> Result<(), String> {
        let handed: Option<Handed> = (self.run.hand)(&self.run.deployment.steps)
            .map_err(|error| format!("the secrets of the run cannot be handed over: {error}"))?;
        let run = self.run.message(handed.as_ref());
        let ran: Ran = self
            .process
            .call(method::RUN, &run, None)
            .map_err(|error| self.run.start.said(&error))?;
        if let Some(representation) = ran.representation {
            let record = &self.run.record;
            record.represented(&record.cleared(&representation, ran.cut));
        }
        Ok(())
    }
}

/// Hears what it prints; it has nothing to ask.
struct Ear {
    answers: Answers,
    record: Arc<dyn Record>,
}

impl Listener for Ear {
    fn notified(&mut self, method: &str, params: Value) {
        if method == method::IDENTIFIED {
            take_id(&*self.record, &params);
        }
    }

    fn asked(&mut self, id: Value, asked: &str, _params: Value) {
        let error = match asked {
            method::STEP => RpcError::failed(
                "no engine drives this run, so that `run_step` has nothing to run; start the entrypoint of the step, or let the flavor say with `Supply(delegates=False)` that it does not delegate".to_owned(),
            ),
            other => unknown_method(other),
        };
        self.answers.answer::<Value>(id, Err(error));
    }

    fn printed(&mut self, line: &str) {
        self.record.printed(line);
    }

    fn cleared(&self, text: &str, is_cut: bool) -> String {
        self.record.cleared(text, is_cut)
    }

    fn gone(&mut self, _why: &str) {}
}
