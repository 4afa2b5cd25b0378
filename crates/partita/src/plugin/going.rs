//! Answers for an orchestrator that goes through the steps by itself.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use partita_core::stack::Delegates;
use partita_plugin::frame::{Frame, RpcError};
use partita_plugin::message::{self, JobRequest, Mode, Opened, Ran, Stack, Supply, method};
use partita_plugin::unknown_method;
use serde_json::{Value, json};

use super::channel::Channel;
use super::orchestrator::{Answered, Opening, Orchestrator, Serving};
use super::serve::{read, said};
use super::step_runner::StepRunner;
use super::{
    BaseOrchestrator, BaseOrchestratorConfig, Environment, Error, PipelineDeploymentResponseModel,
    Result,
};
use crate::panics;

/// Bytes of what an orchestrator made of a pipeline that are kept: 2 MiB. In JSON one may take six,
/// and a message has 16 MiB at most.
const MOST_KEPT: usize = 2 << 20;

/// The way of what implements [`BaseOrchestrator`].
pub struct GoesThroughSteps;

impl<O: BaseOrchestrator> Orchestrator<GoesThroughSteps> for O {
    type Config = O::Config;

    fn capabilities() -> Vec<&'static str> {
        Vec::new()
    }

    fn contradiction(config: Option<&O::Config>, supply: &Supply) -> Option<&'static str> {
        let waits = config.is_none_or(O::Config::is_synchronous);
        (!waits && supply.delegates == Delegates::No).then_some(
            "its `is_synchronous` is false, and its flavor does not say that it delegates; let its `supply` have `delegates: Delegates::Yes`",
        )
    }

    fn open(opening: Opening<O::Config>) -> std::result::Result<Box<dyn Serving>, RpcError> {
        let Opening { run, config, supply, channel } = opening;
        let (stack, run_id) = (run.stack.clone(), run.run_id.clone());
        let deployment = PipelineDeploymentResponseModel::of(&run)?;
        let synchronous = config.is_synchronous();
        let mode = match supply.delegates {
            Delegates::No => Mode::Direct,
            Delegates::Maybe if synchronous => Mode::Direct,
            _ => Mode::Delegated,
        };
        let orchestrator = Arc::new(O::new(run, config)?);
        if let Some(validator) = orchestrator.validator() {
            validator.validate(&stack)?;
        }
        channel.identified(orchestrator.get_orchestrator_run_id(), &run_id);
        let opened = Opened { mode, synchronous, ..Opened::default() };
        let (deployment, runner) = (Some(deployment), None);
        let is_running = Arc::default();
        Ok(Box::new(Going { orchestrator, opened, deployment, stack, channel, runner, is_running }))
    }
}

struct Going<O> {
    orchestrator: Arc<O>,
    opened: Opened,
    /// What is to be run, until that has begun.
    deployment: Option<PipelineDeploymentResponseModel>,
    stack: Stack,
    channel: Channel,
    /// What runs its steps, once it was told to.
    runner: Option<Arc<StepRunner>>,
    /// Whether it goes through the steps now.
    is_running: Arc<AtomicBool>,
}

impl<O: BaseOrchestrator> Serving for Going<O> {
    fn opened(&self) -> Opened {
        self.opened.clone()
    }

    fn answer(&mut self, id: &Value, method: &str, params: Value) -> Answered {
        match method {
            method::RUN => match read(params).and_then(|run| self.begin(id, run)) {
                Ok(()) => Answered::Later,
                Err(error) => Answered::Now(Err(error)),
            },
            method::CANCEL => Answered::Now(read(params).map(|JobRequest { job }| {
                if let Some(runner) = &self.runner {
                    runner.cancel(&job);
                }
                json!({})
            })),
            _ => Answered::Now(Err(unknown_method(method))),
        }
    }

    fn end(&mut self) -> bool {
        let delegates =
            self.is_running.load(Ordering::SeqCst) && self.opened.mode == Mode::Delegated;
        if delegates {
            self.orchestrator.cancel();
        }
        if let Some(runner) = &self.runner {
            runner.end();
        }
        delegates
    }
}

impl<O: BaseOrchestrator> Going<O> {
    /// Has it go through the steps, on a thread of its own.
    fn begin(&mut self, id: &Value, run: message::Run) -> std::result::Result<(), RpcError> {
        let again = || RpcError::failed("`run` was told before".to_owned());
        let mut deployment = self.deployment.take().ok_or_else(again)?;
        let runner = Arc::new(StepRunner::new(self.channel.clone(), run.command));
        deployment.run_by(self.runner.insert(runner));
        let (orchestrator, channel) = (Arc::clone(&self.orchestrator), self.channel.clone());
        let (stack, id) = (self.stack.clone(), id.clone());
        let is_running = Arc::clone(&self.is_running);
        is_running.store(true, Ordering::SeqCst);
        thread::spawn(move || {
            let through = || go_through(&*orchestrator, &deployment, &stack, &run.environment);
            // Nobody would hear of an end whose thread has none.
            let ran = catch_unwind(AssertUnwindSafe(through));
            let panicked = |payload: Box<dyn Any + Send>| {
                let said = panics::said(&*payload);
                Err(Error::failed(format!("`prepare_or_run_pipeline` panicked: {said}")))
            };
            let result = ran.unwrap_or_else(panicked).map_err(RpcError::from);
            is_running.store(false, Ordering::SeqCst);
            channel.say(&Frame::Response { id, result: result.and_then(|ran| said(&ran)) });
        });
        Ok(())
    }
}

fn go_through<O: BaseOrchestrator>(
    orchestrator: &O,
    deployment: &PipelineDeploymentResponseModel,
    stack: &Stack,
    environment: &Environment,
) -> Result<Ran> {
    orchestrator.prepare_pipeline_deployment(deployment, stack)?;
    let made = orchestrator.prepare_or_run_pipeline(deployment, stack, environment)?;
    Ok(made.map(kept).unwrap_or_default())
}

/// Returns what is kept with the run of what an orchestrator made of the pipeline.
fn kept(mut made: String) -> Ran {
    let (bytes, end) = (made.len(), made.floor_char_boundary(MOST_KEPT));
    let cut = end < bytes;
    if cut {
        eprintln!("partita: what was returned has {bytes} bytes; the first {MOST_KEPT} are kept");
        made.truncate(end);
    }
    Ran { representation: Some(made), cut }
}

#[cfg(test)]
#[path = "going_tests.rs"]
mod tests;
