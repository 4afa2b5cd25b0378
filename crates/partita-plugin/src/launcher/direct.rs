//! A plugin that goes through the steps by itself.

use std::sync::{Arc, MutexGuard, PoisonError, Weak};

use partita_core::launcher::Outcome;
use partita_core::run::Failure;
use partita_core::status::StepStatus;
use serde_json::Value;

use super::desk::Over;
use super::flight::{Flight, Stage};
use super::{Plugin, Shared, State, with};
use crate::frame::RpcError;
use crate::message::{Mode, Ran, StepAnswer, StepRequest, method};
use crate::process::{Answers, CallError, read};

/// Takes note of how steps end, for an orchestrator that asks for them.
pub struct StepEnds(Weak<Shared>);

impl StepEnds {
    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        Self(Arc::downgrade(shared))
    }

    /// Takes note of the end of a step, given as an index, and of what went wrong.
    pub fn ended(&self, step: usize, status: StepStatus, message: Option<String>) {
        let Some(shared) = self.0.upgrade() else { return };
        let mut state = shared.state();
        state.desk.end(step, status, message);
        let Some(answers) = state.plugin.answers() else { return };
        while let Some(question) = state.desk.question(step) {
            if let Some(end) = state.desk.end_of(step) {
                answers.answer(question, Ok(StepAnswer::Ended(end.clone())));
            }
        }
    }
}

impl Plugin {
    fn answers(&self) -> Option<Answers> {
        match self {
            Self::Open { process, .. } => Some(process.answers()),
            Self::Closed | Self::Opening { .. } | Self::Unusable(_) => None,
        }
    }
}

impl Shared {
    /// Has the orchestrator go through the steps; those that have ended cost it nothing.
    pub(super) fn begin(self: &Arc<Self>, state: &mut State) {
        state.desk.over = None;
        let handed = (self.run.hand)(&self.run.deployment.steps);
        // A step without the secrets that it takes says so by itself.
        state.handed = handed.ok().flatten();
        self.run.record.goes_by_itself();
        if let Plugin::Open { process, .. } = &state.plugin {
            let run = self.run.message(state.handed.as_ref());
            process.ask(method::RUN, &run, None, with(Arc::downgrade(self), Self::ran));
        }
    }

    /// Takes in that it has gone through them. What it has not asked for is not run any more, unless
    /// it was run in another way: the engine looks for its commit.
    fn ran(self: &Arc<Self>, answer: Result<Ran, CallError>) {
        let name = &self.run.open.component;
        let over = match answer {
            Err(CallError::Gone(_)) => return,
            Err(error) => {
                Over::Failed(format!("the orchestrator `{name}` failed: {}", self.said(&error)))
            }
            Ok(ran) => {
                if let Some(representation) = ran.representation {
                    let record = &self.run.record;
                    record.represented(&record.cleared(&representation, ran.cut));
                }
                Over::Done(format!(
                    "the orchestrator `{name}` is done, and did not run the step; let its `prepare_or_run_pipeline` call `self.run_step(step)` for every step of the deployment, or start its entrypoint and wait for it, and let its flavor say so with `Supply(delegates=True)`; what the entrypoint has said is in the orchestrator's output; one that returns before the steps have ended says so with `is_synchronous` of its configuration"
                ))
            }
        };
        let mut state = self.state();
        let left = std::mem::take(&mut state.flights);
        let why = over.why().to_owned();
        if matches!(over, Over::Failed(_)) {
            // Where every step is committed all the same, nothing else tells of it.
            self.run.record.printed(&why);
        }
        state.desk.over = Some(over);
        self.settled.notify_all();
        state.ask_for(None);
        drop(state);
        for flight in left.into_values() {
            flight.report(Outcome::GaveUp(Failure::ours(&*why)));
        }
    }

    /// Waits, where every step has ended, until the orchestrator has returned: what it made is kept.
    pub(super) fn until_it_is_through(&self) -> MutexGuard<'_, State> {
        let state = self.state();
        let patience = self.run.patience.answer;
        let goes_on = |state: &mut State| {
            matches!(state.plugin, Plugin::Open { mode: Mode::Direct, .. })
                && state.desk.is_through()
                && state.desk.over.is_none()
        };
        let waited = self.settled.wait_timeout_while(state, patience, goes_on);
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            self.run.record.printed(&format!(
                "the orchestrator `{}` has not returned within {} s after the last step; what it would have returned is not kept",
                self.run.open.component,
                patience.as_secs()
            ));
        }
        state
    }

    /// Has an attempt that was launched wait until the orchestrator asks for its step.
    pub(super) fn offer(&self, state: &mut State, step: usize) {
        if let Some(over) = &state.desk.over {
            let why = over.why().to_owned();
            let is_of_step = |_: &String, flight: &mut Flight| flight.attempt.step == step;
            for (_, flight) in state.flights.extract_if(is_of_step) {
                flight.report(Outcome::GaveUp(Failure::ours(&*why)));
            }
            return;
        }
        if let Some(question) = state.desk.question(step)
            && let Some(answers) = state.plugin.answers()
        {
            self.answer_with_attempt(state, step, question, &answers);
        }
    }

    pub(super) fn asked_for_step(&self, id: Value, params: Value, answers: &Answers) {
        let mut state = self.state();
        let name = read::<StepRequest>(&params).map_err(RpcError::failed);
        match name.and_then(|request| state.desk.step(&request.step)) {
            Err(error) => answers.answer::<Value>(id, Err(error)),
            Ok(step) => match state.desk.end_of(step) {
                Some(end) => answers.answer(id, Ok(StepAnswer::Ended(end.clone()))),
                None => self.answer_with_attempt(&mut state, step, id, answers),
            },
        }
    }

    /// Answers a question with an attempt at the step, now or when there is one.
    fn answer_with_attempt(
        &self,
        state: &mut State,
        step: usize,
        question: Value,
        answers: &Answers,
    ) {
        let is_ready = |flight: &&mut Flight| {
            flight.attempt.step == step && matches!(flight.stage, Stage::Waiting)
        };
        let ready = state.flights.values_mut().filter(is_ready);
        match ready.min_by_key(|flight| flight.attempt.item) {
            Some(flight) => {
                flight.stage = Stage::Running { job: flight.attempt.id() };
                let launch = flight.launch(&self.run);
                answers.answer(question, Ok(StepAnswer::Attempt(launch.into())));
            }
            None => {
                // An item of a mapped step may be waited for while others are made.
                let made = |flight: &&mut Flight| {
                    flight.attempt.unit() == step.into()
                        && matches!(flight.stage, Stage::Running { .. })
                };
                if let Some(flight) = state.flights.values_mut().find(made) {
                    flight.end.is_asked_for_again = true;
                }
                state.desk.wait(step, question);
                state.ask_for(Some(step));
            }
        }
    }
}
