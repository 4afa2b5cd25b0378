//! What a plugin prints and says of a run, shown and kept.

use std::sync::Arc;

use partita_core::launcher::Attempt;
use partita_core::run::Submission;
use partita_core::stack::{Component, Flavor};
use partita_engine::runs::{Identity, LiveRun};
use partita_engine::secrets::Redaction;
use partita_engine::step_runner::{LogStream, RunContext, StepLog};
use partita_engine::store::{Documents, layout};
use partita_orchestrators::output::Echo;
use partita_plugin::Record;
use partita_plugin::message::Supply;

use super::labels::Labels;
use crate::terminal::shell_word;

/// Shows and keeps what a plugin prints.
pub(super) struct PluginRecord {
    name: String,
    context: Arc<RunContext>,
    echo: Arc<dyn Echo>,
    log: StepLog,
    submission: Submission,
    labels: Labels,
    /// The flavor as it was registered.
    flavor: Flavor,
    /// Of the run, if this is its orchestrator, and not another one of its stack.
    identity: Option<Identity>,
}

impl PluginRecord {
    pub(super) fn new(
        orchestrator: &Component,
        live: &LiveRun,
        echo: &Arc<dyn Echo>,
        submission: Submission,
        flavor: Flavor,
    ) -> Self {
        let context = live.context();
        let is_of_run = live.header().orchestrator == orchestrator.name;
        let path = layout::orchestrator_log(&context.run_id, &orchestrator.name);
        Self {
            name: orchestrator.name.clone(),
            labels: Labels::of(&context.deployment),
            log: StepLog::new(Arc::clone(&context.store), path),
            context: Arc::clone(context),
            echo: Arc::clone(echo),
            submission,
            flavor,
            identity: is_of_run.then(|| live.identity()),
        }
    }
}

impl Record for PluginRecord {
    fn supplies(&self, supply: &Supply) {
        let name = &self.flavor.name;
        let known = self.flavor.plugin.as_ref().map(|plugin| plugin.capabilities);
        if known != Some(supply.capabilities()) {
            self.printed(&format!(
                "partita: the flavor `{name}` has another `supply` than when it was registered, which this run goes by; `partita orchestrator flavor update {}` takes it in",
                shell_word(name)
            ));
        }
    }

    fn identified(&self, orchestrator_run_id: &str) {
        let Some(identity) = &self.identity else { return };
        if let Err(error) = identity.record(&redacted(orchestrator_run_id, &self.context)) {
            self.printed(&format!("partita: what it calls the run is not kept: {error}"));
        }
    }

    fn goes_by_itself(&self) {
        let store = &*self.context.store;
        let path = layout::submission(&self.context.run_id);
        // Without it, entrypoints count attempts from the first one.
        let _ = serde_json::to_vec(&self.submission).map(|bytes| store.write(&path, bytes.into()));
    }

    fn represented(&self, representation: &str) {
        let path = layout::representation(&self.context.run_id, &self.name);
        let kept = redacted(representation, &self.context).into_bytes();
        if let Err(error) = self.context.store.write(&path, kept.into()) {
            self.printed(&format!("partita: what it made of the deployment is not kept: {error}"));
        }
    }

    fn is_over(&self, attempt: &Attempt) -> bool {
        let Attempt { number, .. } = *attempt;
        let (unit, name) = (attempt.unit(), &attempt.step().name);
        let recorded = || {
            let documents = Documents::new(&*self.context.store);
            documents.result(&self.context.run_id, unit, name, number)
        };
        matches!(self.context.committed(unit), Ok(Some(_))) || matches!(recorded(), Ok(Some(_)))
    }

    fn printed(&self, line: &str) {
        let line = &redacted(line, &self.context);
        let (who, told) = self.labels.split(line).unwrap_or((&self.name, line));
        self.echo.line(who, LogStream::Stderr, told);
        self.log.write(LogStream::Stderr, &format!("{line}\n"));
    }

    fn cleared(&self, text: &str, is_cut: bool) -> String {
        match self.context.secrets().and_then(|secrets| secrets.redactor()) {
            Some(redactor) if is_cut => {
                let told = Redaction::default().take(redactor, text.as_bytes());
                String::from_utf8_lossy(&told).into_owned()
            }
            _ => redacted(text, &self.context),
        }
    }

    fn job_printed(&self, attempt: &Attempt, text: &str) {
        let store = &self.context.store;
        let name = &attempt.step().name;
        let path = layout::log(&self.context.run_id, attempt.unit(), name, attempt.number);
        // What the step's own entrypoint recorded has the same lines, with their times.
        if store.read(&path).is_err() {
            let log = StepLog::new(Arc::clone(store), path);
            log.write(LogStream::Stdout, &redacted(text, &self.context));
            log.finish();
        }
    }
}

/// Returns text without the values of the run's secrets.
pub(super) fn redacted(text: &str, context: &RunContext) -> String {
    context.secrets().map_or(text.into(), |secrets| secrets.redacted(text)).into_owned()
}
