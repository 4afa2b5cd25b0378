//! Executes runs of two steps without Python.

#![allow(clippy::panic, reason = "a launcher with a bug is needed")]

use std::sync::Arc;

use partita_core::deployment::Deployment;
use partita_core::launcher::{Attempt, Job, JobStatus, LaunchError, Reports, StepLauncher};
use partita_core::literal::Literal;
use partita_core::run::{Failure, Target};
use partita_core::stack::{Capabilities, Delegates};
use partita_engine::drive::NoLimits;
use partita_engine::home::Home;
use partita_engine::metadata::{MetadataStore, Registry};
use partita_engine::runs::{LiveRun, NewRun, Place};
use partita_engine::step_runner::{
    Content, LogStream, NewOutput, Returned, RunContext, StepCall, StepCaller, Stopped, run_attempt,
};
use serde_json::json;

use super::Machine;

/// Steps that print two lines, and of which one called `bad` fails.
pub(crate) struct Steps;

impl StepCaller for Steps {
    fn call(&mut self, call: &StepCall<'_>) -> Result<Returned, Stopped> {
        let name = &call.attempt.step().name;
        call.log.write(LogStream::Stdout, &format!("{name} says\nhello\n"));
        if name == "bad" {
            let traceback = Some("Traceback\n  ValueError: no \x1b[31mluck".to_owned());
            let message = "no \x1b[31mluck".to_owned();
            return Err(Stopped::Failed(Failure {
                kind: "ValueError".to_owned(),
                message,
                traceback,
                exit_code: None,
            }));
        }
        let value = NewOutput {
            name: "output".to_owned(),
            type_name: "builtins.int".to_owned(),
            format: "json".to_owned(),
            code: None,
            metadata: Default::default(),
            content: Content::Inline(Literal::parse("42").expect("JSON")),
        };
        Ok(Returned { outputs: vec![value] })
    }

    fn on_success(&mut self, _: &Attempt) -> Result<(), String> {
        Ok(())
    }

    fn on_failure(&mut self, _: &Attempt, _: &Failure) -> Result<(), String> {
        Ok(())
    }
}

/// A launcher with a bug.
pub(crate) struct Broken;

impl StepLauncher for Broken {
    fn launch(&self, _: Attempt, _: &Arc<dyn Reports>) -> Result<Job, LaunchError> {
        panic!("a bug")
    }

    fn poll(&self, _: &Job) -> Result<JobStatus, LaunchError> {
        Ok(JobStatus::Active)
    }

    fn cancel(&self, _: &Job) -> Result<(), LaunchError> {
        Ok(())
    }
}

/// Runs each step at once, on the driver's thread.
pub(crate) struct AtOnce(Arc<RunContext>);

impl StepLauncher for AtOnce {
    fn launch(&self, attempt: Attempt, reports: &Arc<dyn Reports>) -> Result<Job, LaunchError> {
        let outcome = run_attempt(&self.0, &attempt, &mut Steps);
        reports.ended(attempt.unit(), attempt.number, outcome);
        Ok(attempt.id())
    }

    fn poll(&self, _: &Job) -> Result<JobStatus, LaunchError> {
        Ok(JobStatus::Active)
    }

    fn cancel(&self, _: &Job) -> Result<(), LaunchError> {
        Ok(())
    }
}

const CAPABILITIES: Capabilities = Capabilities {
    max_parallelism: Some(1),
    timeouts: false,
    grace: 0.0,
    loads_steps_again: false,
    cpus: None,
    memory: Some(0),
    gpus: Some(0),
    gpu_classes: false,
    allow_unenforced: false,
    images: false,
    delegates: Delegates::No,
    claims: None,
};

pub(crate) fn deployment(machine: &Machine, second: &str) -> Deployment {
    let home = Home::open(&machine.home()).expect("a home");
    let stack = home.metadata().stack("default").expect("a stack");
    let output = json!([{ "name": "output", "type": "builtins.int" }]);
    let document = json!({
        "version": 1, "id": "", "stack": stack,
        "pipeline": { "name": "wine", "source": "train:wine" },
        "environment": { "interpreter": "cpython-3.11", "platform": "linux-x86_64" },
        "sources": { "train:step": { "parts": [] } },
        "steps": [
            { "name": "load", "source": "train:step", "outputs": output },
            { "name": second, "source": "train:step", "outputs": output, "upstream_steps": ["load"],
              "inputs": { "x": { "output": { "step": "load", "output": "output" } } } },
        ],
    });
    let mut deployment: Deployment = serde_json::from_value(document).expect("a deployment");
    deployment.id = deployment.content_id().expect("an id");
    deployment
}

pub(crate) fn begin(
    machine: &Machine,
    name: &str,
    second: &str,
    target: Option<Target>,
) -> LiveRun {
    let deployment = Arc::new(deployment(machine, second));
    let home = Home::open(&machine.home()).expect("a home");
    let store = home.artifact_store(&deployment.stack.artifact_store).expect("a store");
    let metadata: Arc<dyn MetadataStore> = Arc::clone(home.metadata()) as _;
    let new =
        NewRun { deployment, name: Some(name.to_owned()), target, user: None, resumed_from: None };
    LiveRun::begin(new, store, metadata).expect("a run")
}

/// Returns where runs of these tests are executed.
pub(crate) fn place(launcher: &dyn StepLauncher) -> Place<'_> {
    Place { launcher, capabilities: std::slice::from_ref(&CAPABILITIES), limits: &NoLimits }
}

/// Makes a run, and executes it unless it is to look as if its engine had died.
pub(crate) fn make_run(
    machine: &Machine,
    name: &str,
    second: &str,
    target: Option<Target>,
    is_executed: bool,
) -> String {
    let run = begin(machine, name, second, target);
    let id = run.header().id.clone();
    if is_executed {
        let launcher = AtOnce(Arc::clone(run.context()));
        run.execute(place(&launcher), &[], drop).expect("it ends");
    }
    id
}
