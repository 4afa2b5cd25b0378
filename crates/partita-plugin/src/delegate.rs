//! A plugin that is handed a whole run, and starts the entrypoints of its steps or has them started.

use std::sync::Arc;

use serde_json::Value;

use crate::frame::RpcError;
use crate::launcher::{Handed, OpenRun, Record};
use crate::message::{Mode, Opened, Ran, Run, Welcome, method};
use crate::process::{Answers, CallError, Listener, PluginProcess, unknown_method};
use crate::registration::{check_version, hello};
use crate::terms;

/// A plugin that was told of a run, and what it answered.
pub struct Delegate {
    process: PluginProcess,
    run: OpenRun,
    opened: Opened,
}

impl Delegate {
    /// Starts the plugin of a run and tells it of the run.
    ///
    /// # Errors
    /// Why it cannot serve the run.
    pub fn open(run: OpenRun) -> Result<Self, String> {
        let record = Arc::clone(&run.record);
        let listener = move |answers| Box::new(Ear { answers, record }) as _;
        let process = PluginProcess::start(run.start.command(), run.patience, listener)
            .map_err(|error| run.start.not_started(&error))?;
        let patience = run.patience.start;
        let said = |error: CallError| run.start.said(&error);
        let welcome: Welcome = process.call(method::HELLO, &hello(), patience).map_err(said)?;
        check_version(&welcome).map_err(|why| format!("{} {why}", run.start.what))?;
        let opened = process.call(method::OPEN, &run.open, patience).map_err(said)?;
        Ok(Self { process, run, opened })
    }

    /// Returns whether it takes the whole run; its steps are launched otherwise.
    pub fn takes_run(&self) -> bool {
        self.opened.mode == Mode::Delegated
    }

    /// Returns whether the run is over when [`Self::run`] returns.
    pub fn is_synchronous(&self) -> bool {
        self.opened.synchronous
    }

    /// Ends it, and with it what [`Self::run`] waits for.
    pub fn cancel(&self) {
        self.process.close();
    }

    /// Has it run the pipeline, or submit it.
    ///
    /// # Errors
    /// What went wrong.
    pub fn run(&self) -> Result<(), String> {
        let handed: Option<Handed> = (self.run.hand)(&self.run.deployment.steps)
            .map_err(|error| format!("the secrets of the run cannot be handed over: {error}"))?;
        let run = Run { environment: terms::environment(handed.as_ref()) };
        let ran: Ran = self
            .process
            .call(method::RUN, &run, None)
            .map_err(|error| self.run.start.said(&error))?;
        if let Some(representation) = ran.representation {
            self.run.record.represented(&representation);
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
    fn notified(&mut self, _method: &str, _params: Value) {}

    fn asked(&mut self, id: Value, asked: &str, _params: Value) {
        let error = match asked {
            method::STEP => RpcError::failed(
                "no engine drives this run, so that `run_step` has nothing to run; start the entrypoint of the step, or let the flavor not say that it delegates".to_owned(),
            ),
            other => unknown_method(other),
        };
        self.answers.answer::<Value>(id, Err(error));
    }

    fn printed(&mut self, line: &str) {
        self.record.printed(line);
    }

    fn gone(&mut self, _why: &str) {}
}
