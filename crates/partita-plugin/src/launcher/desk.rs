//! What a direct orchestrator is told when it asks for a step.
//!
//! It goes through the steps by itself and in its own order; the engine still decides what has to
//! run. So each step that it asks for is either an attempt that the engine has launched, or over, or
//! has to wait until the engine knows.

use std::collections::HashMap;
use std::sync::Arc;

use partita_core::deployment::Deployment;
use partita_core::settings::FailureMode;
use partita_core::status::StepStatus;
use serde_json::Value;

use crate::frame::RpcError;
use crate::message::StepEnd;

/// The steps of a run, as a direct orchestrator may ask for them.
pub(super) struct Desk {
    deployment: Arc<Deployment>,
    positions: HashMap<String, usize>,
    ended: HashMap<usize, StepEnd>,
    /// Questions that have no answer yet, by step.
    asked: Vec<(usize, Value)>,
    /// Why no step will be asked for any more, once the orchestrator has returned.
    pub(super) over: Option<Over>,
}

/// What is said of steps that an orchestrator has not asked for before it returned.
pub(super) enum Over {
    /// It is done, and has left them out.
    Done(String),
    /// It has failed, which is no failure of theirs.
    Failed(String),
}

impl Over {
    pub(super) fn why(&self) -> &str {
        let (Self::Done(why) | Self::Failed(why)) = self;
        why
    }
}

impl Desk {
    /// Returns the desk of a run whose steps with `committed` were done before.
    pub(super) fn new(deployment: &Arc<Deployment>, committed: &[bool]) -> Self {
        let steps = deployment.steps.iter().enumerate();
        let positions = steps.map(|(index, step)| (step.name.clone(), index)).collect();
        let done = committed.iter().enumerate().filter(|(_, is_done)| **is_done);
        let end = || StepEnd { status: "completed".to_owned(), stops: false, message: None };
        let ended = done.map(|(index, _)| (index, end())).collect();
        let deployment = Arc::clone(deployment);
        Self { deployment, positions, ended, asked: Vec::new(), over: None }
    }

    /// Returns the step with this name, after a check that it may be asked for.
    pub(super) fn step(&self, name: &str) -> Result<usize, RpcError> {
        let &step = self
            .positions
            .get(name)
            .ok_or_else(|| RpcError::failed(format!("the deployment has no step `{name}`")))?;
        let mut upstream = self.deployment.steps[step].upstream_steps.iter();
        let is_open = |name: &&String| {
            self.positions.get(*name).is_some_and(|step| !self.ended.contains_key(step))
        };
        match upstream.find(is_open) {
            None => Ok(step),
            Some(open) => Err(RpcError::failed(format!(
                "the step `{name}` is run before `{open}`, which it depends on, has ended; run the steps in the order of `deployment.steps`"
            ))),
        }
    }

    /// Returns whether an attempt at this step is waited for, or has to say that it was left out.
    ///
    /// # Errors
    /// Why the orchestrator runs nothing more.
    pub(super) fn takes(&self, step: usize) -> Result<bool, String> {
        match &self.over {
            Some(Over::Failed(why)) => Err(why.clone()),
            Some(Over::Done(_)) => Ok(true),
            None => Ok(self.asked.iter().any(|(asked, _)| *asked == step)),
        }
    }

    /// Keeps a question until there is an answer.
    pub(super) fn wait(&mut self, step: usize, id: Value) {
        self.asked.push((step, id));
    }

    /// Returns one question about a step, if there is one.
    pub(super) fn question(&mut self, step: usize) -> Option<Value> {
        let place = self.asked.iter().position(|(asked, _)| *asked == step)?;
        Some(self.asked.remove(place).1)
    }

    /// Forgets what a plugin asked that is gone.
    pub(super) fn forget(&mut self) {
        self.asked.clear();
    }

    /// Returns how a step ended, if it has.
    pub(super) fn end_of(&self, step: usize) -> Option<&StepEnd> {
        self.ended.get(&step)
    }

    /// Returns whether the orchestrator has nothing left to do but to return, or has returned.
    pub(super) fn is_through(&self) -> bool {
        self.over.is_some() || self.ended.len() == self.deployment.steps.len()
    }

    /// Takes note of the end of a step.
    pub(super) fn end(&mut self, step: usize, status: StepStatus, message: Option<String>) {
        let stops = match status {
            StepStatus::Cancelled => true,
            StepStatus::Failed => {
                self.deployment.pipeline.failure_mode != FailureMode::ContinueOnFailure
            }
            _ => false,
        };
        let status = status.as_str().to_owned();
        self.ended.insert(step, StepEnd { status, stops, message });
    }
}
