//! What the plugin is asked about attempts, and what comes of its answers.

use std::sync::Arc;

use partita_core::launcher::{JobStatus, LaunchError, Outcome};
use partita_core::run::Failure;
use serde_json::Value;

use super::flight::{self, Stage};
use super::{Can, Plugin, Shared, State, with};
use crate::frame::RpcError;
use crate::message::{JobRequest, Launched, Logs, State as JobState, Status, UNREACHABLE, method};
use crate::process::CallError;

impl Shared {
    /// Hands an attempt to the plugin.
    pub(super) fn dispatch(self: &Arc<Self>, state: &mut State, id: &str) {
        let Plugin::Open { process, .. } = &state.plugin else { return };
        let Some(flight) = state.flights.get_mut(id) else { return };
        flight.stage = Stage::Launching;
        let launch = flight.launch(&self.run);
        let (shared, id) = (Arc::downgrade(self), id.to_owned());
        let answer = with(shared, move |shared, answer| shared.launched(&id, answer));
        process.ask(method::LAUNCH, &launch, Some(self.run.patience.answer), answer);
    }

    pub(super) fn launched(self: &Arc<Self>, id: &str, answer: Result<Launched, CallError>) {
        let mut state = self.state();
        // It may have ended before its launch was answered.
        let Some(flight) = state.flights.get_mut(id) else { return };
        match answer {
            Ok(Launched { job }) => {
                flight.stage = Stage::Running { job: job.clone() };
                if flight.cancels > 0 {
                    self.ask_cancel(&state, &job, None);
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

    /// Asks the plugin to end a job. The attempt `over`, of which somebody is impatient, is over once
    /// it has answered.
    pub(super) fn ask_cancel(self: &Arc<Self>, state: &State, job: &str, over: Option<&str>) {
        if let Plugin::Open { process, .. } = &state.plugin {
            let request = JobRequest { job: job.to_owned() };
            let patience = Some(self.run.patience.answer);
            let (shared, over) = (Arc::downgrade(self), over.map(str::to_owned));
            let answer = with(shared, move |shared, _: Result<Value, CallError>| {
                // A plugin that refuses has its grace, as one that accepts and does nothing.
                if let Some(id) = over {
                    shared.finish(&id, Outcome::Cancelled);
                }
            });
            process.ask(method::CANCEL, &request, patience, answer);
        }
    }

    /// Asks how an attempt stands, unless that was asked or will be told.
    pub(super) fn ask_status(
        self: &Arc<Self>,
        state: &mut State,
        id: &str,
    ) -> Result<JobStatus, LaunchError> {
        let tells = state.plugin.tells();
        let Plugin::Open { process, .. } = &state.plugin else {
            return Ok(JobStatus::Active);
        };
        let Some(flight) = state.flights.get_mut(id) else { return Ok(JobStatus::Active) };
        if let Stage::Running { job } = &flight.stage
            && !tells
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

    pub(super) fn polled(self: &Arc<Self>, id: &str, answer: Result<Status, CallError>) {
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
                // Whatever it does now, nobody would hear of its end.
                if let Stage::Running { job } = &flight.stage {
                    let job = job.clone();
                    self.ask_cancel(&state, &job, None);
                }
                drop(state);
                let (name, why) = (&self.run.open.component, self.said(&error));
                let message =
                    format!("the orchestrator `{name}` cannot say how the attempt stands: {why}");
                self.finish(id, Outcome::Failed(Failure::ours(message)));
            }
        }
    }

    /// Takes in how an attempt stands.
    pub(super) fn stands(self: &Arc<Self>, id: &str, status: Status) {
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
    pub(super) fn finish(&self, id: &str, outcome: Outcome) {
        let flight = self.state().flights.remove(id);
        if let Some(flight) = flight {
            flight.report(outcome);
        }
    }
}
