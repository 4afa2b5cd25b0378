//! Answers for a step launcher.

use std::any::Any;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use partita_core::stack::Delegates;
use partita_plugin::frame::RpcError;
use partita_plugin::message::{
    Find, Found, JobRequest, Launch, Launched, Logs, Opened, Status, Supply, method,
};
use partita_plugin::unknown_method;
use serde_json::{Value, json};

use super::channel::Channel;
use super::orchestrator::{Answered, Opening, Orchestrator, Serving};
use super::serve::{read, said};
use super::{
    Attempt, Capability, EntrypointArguments, Error, JobReport, JobStatus, StepLauncher,
    step_entrypoint_configuration as entrypoint,
};
use crate::panics;

/// The way of what implements [`StepLauncher`].
pub struct Launches;

impl<O: StepLauncher> Orchestrator<Launches> for O {
    type Config = O::Config;

    fn capabilities() -> Vec<&'static str> {
        O::CAPABILITIES.iter().map(|capability| capability.word()).collect()
    }

    fn contradiction(_config: Option<&O::Config>, supply: &Supply) -> Option<&'static str> {
        (supply.delegates != Delegates::No).then_some(
            "its `supply` has `delegates`, and a `StepLauncher` is told what to start; implement `BaseOrchestrator` to go through whole pipelines, or leave `delegates` out",
        )
    }

    fn open(opening: Opening<O::Config>) -> Result<Box<dyn Serving>, RpcError> {
        let Opening { run, config, channel, .. } = opening;
        let (stack, run_id) = (run.stack.clone(), run.run_id.clone());
        let orchestrator = Arc::new(O::new(run, config)?);
        if let Some(validator) = orchestrator.validator() {
            validator.validate(&stack)?;
        }
        if let Some(id) = orchestrator.get_orchestrator_run_id() {
            channel.identified(&id, &run_id);
        }
        Ok(Box::new(Launching { orchestrator, channel, waited_for: HashSet::new() }))
    }
}

struct Launching<O> {
    orchestrator: Arc<O>,
    channel: Channel,
    /// The attempts whose ends a thread waits for, or has told.
    waited_for: HashSet<String>,
}

impl<O: StepLauncher> Serving for Launching<O> {
    fn opened(&self) -> Opened {
        Opened { poll_interval: self.orchestrator.poll_interval(), ..Opened::default() }
    }

    fn answer(&mut self, _id: &Value, method: &str, params: Value) -> Answered {
        Answered::Now(self.about_jobs(method, params))
    }

    /// What it has launched ends with this process, or does not: that is its own business.
    fn end(&mut self) -> bool {
        false // Its jobs are found again when the run goes on.
    }
}

impl<O: StepLauncher> Launching<O> {
    fn about_jobs(&mut self, method: &str, params: Value) -> Result<Value, RpcError> {
        let orchestrator = &self.orchestrator;
        let job = |params| read::<JobRequest>(params).map(|request| request.job);
        match method {
            method::LAUNCH => self.launch(read(params)?),
            method::POLL => said(&Status::from(orchestrator.poll(&job(params)?)?)),
            method::CANCEL => Ok(orchestrator.cancel(&job(params)?).map(|()| json!({}))?),
            method::FIND => {
                let Find { attempt } = read(params)?;
                let job = orchestrator.find(&attempt)?;
                if let Some(job) = &job {
                    self.wait(attempt, job);
                }
                said(&Found { job })
            }
            method::LOGS => said(&Logs { text: orchestrator.logs(&job(params)?)? }),
            _ => Err(unknown_method(method)),
        }
    }

    fn launch(&mut self, launch: Launch) -> Result<Value, RpcError> {
        let orchestrator = &self.orchestrator;
        let attempt = Attempt::of(&launch);
        let arguments = EntrypointArguments::from(&attempt);
        let command = entrypoint::command(orchestrator.entrypoint(), &arguments, launch.command)?;
        let (environment, resources) = (&launch.environment, &launch.resources);
        let job = orchestrator.launch(&attempt, &command, environment, resources)?;
        self.wait(attempt.id, &job);
        said(&Launched { job })
    }

    /// Has a job waited for on a thread of its own, and its end told, if that is claimed.
    fn wait(&mut self, attempt: String, job: &str) {
        if !O::CAPABILITIES.contains(&Capability::Wait) || !self.waited_for.insert(attempt.clone())
        {
            return;
        }
        let (orchestrator, channel) = (Arc::clone(&self.orchestrator), self.channel.clone());
        let job = job.to_owned();
        thread::spawn(move || {
            // Nobody would hear of an end whose thread has none.
            let waited = catch_unwind(AssertUnwindSafe(|| orchestrator.wait(&job)));
            let panicked = |payload: Box<dyn Any + Send>| {
                Err(Error::failed(format!("`wait` panicked: {}", panics::said(&*payload))))
            };
            let report = match waited.unwrap_or_else(panicked) {
                Ok(JobReport { status: JobStatus::Active, .. }) => {
                    lost("`wait` returned before its end")
                }
                Ok(report) => report,
                Err(error) => lost(&error.to_string()),
            };
            channel.ended(attempt, report);
        });
    }
}

/// Returns the report of a job of which nothing more will be known.
fn lost(why: &str) -> JobReport {
    let message = Some(format!("it cannot be waited for: {why}"));
    JobReport { message, ..JobStatus::Failed.into() }
}
