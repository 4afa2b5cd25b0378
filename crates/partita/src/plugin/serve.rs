//! Makes an executable of a flavor.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use nix::unistd::{dup, dup2_stdout};
use partita_plugin::frame::{Frame, MAX_BYTES, RpcError, code};
use partita_plugin::message::{
    Description, Find, Found, JobRequest, Launch, Launched, Logs, Open, Opened, PROTOCOL, Problem,
    Status, StatusOf, Validate, Validated, Welcome, method,
};
use partita_plugin::unknown_method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    Attempt, BaseOrchestrator, BaseOrchestratorConfig, BaseOrchestratorFlavor, Capability, Error,
    JobReport, JobStatus, step_entrypoint_configuration as entrypoint,
};

/// Serves a flavor over standard input and output until the input ends; this is all that the `main`
/// of an orchestrator does. What anything else prints goes to standard error.
pub fn serve(flavor: impl BaseOrchestratorFlavor) -> ExitCode {
    let moved = dup(std::io::stdout()).and_then(|own| dup2_stdout(std::io::stderr()).map(|()| own));
    match moved {
        Ok(own) => {
            serve_on(flavor, std::io::stdin().lock(), Box::new(File::from(own)));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("standard output cannot be set aside for the plugin protocol: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves a flavor over any two streams, until the input ends.
fn serve_on(flavor: impl BaseOrchestratorFlavor, input: impl Read, out: Box<dyn Write + Send>) {
    let channel = Channel(Arc::new(Mutex::new(out)));
    let mut session = Session {
        flavor,
        orchestrator: None,
        channel: channel.clone(),
        waited_for: HashSet::new(),
    };
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input.by_ref().take(MAX_BYTES as u64).read_until(b'\n', &mut line);
        if !read.is_ok_and(|count| count > 0) {
            return;
        }
        match Frame::read(&line) {
            Ok(Frame::Request { id, method, params }) => {
                let result = session.answer(&method, params);
                channel.say(&Frame::Response { id, result });
            }
            Ok(Frame::Notification { .. } | Frame::Response { .. }) => {}
            Err(error) => eprintln!("what came is no message of the plugin protocol: {error}"),
        }
    }
}

/// What the plugin writes to, from any thread.
#[derive(Clone)]
struct Channel(Arc<Mutex<Box<dyn Write + Send>>>);

impl Channel {
    fn say(&self, frame: &Frame) {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever does not listen any more has closed standard input, too.
        let _ = out.write_all(&frame.line()).and_then(|()| out.flush());
    }

    /// Tells how an attempt ended.
    fn ended(&self, attempt: String, report: JobReport) {
        let params = said(&StatusOf { attempt, status: report.into() }).unwrap_or_default();
        self.say(&Frame::Notification { method: method::STATUS.to_owned(), params });
    }
}

struct Session<F: BaseOrchestratorFlavor> {
    flavor: F,
    orchestrator: Option<Arc<F::Implementation>>,
    channel: Channel,
    /// The attempts whose ends a thread waits for, or has told.
    waited_for: HashSet<String>,
}

impl<F: BaseOrchestratorFlavor> Session<F> {
    fn answer(&mut self, method: &str, params: Value) -> Result<Value, RpcError> {
        match method {
            method::HELLO => said(&Self::welcome()),
            method::DESCRIBE => said(&self.describe()),
            method::VALIDATE => {
                let Validate { config } = read(params)?;
                said(&match self.config(&config) {
                    Ok(config) => {
                        Validated { problems: config.problems(), is_remote: config.is_remote() }
                    }
                    Err(error) => Validated {
                        problems: vec![Problem { field: None, message: error.message }],
                        is_remote: false,
                    },
                })
            }
            method::OPEN => said(&self.open(read(params)?)?),
            _ => self.about_jobs(method, params),
        }
    }

    fn welcome() -> Welcome {
        let capabilities = F::Implementation::CAPABILITIES.iter();
        let capabilities = capabilities.map(|capability| capability.word().to_owned()).collect();
        Welcome { protocol: PROTOCOL, capabilities }
    }

    fn describe(&self) -> Description {
        Description {
            name: self.flavor.name().to_owned(),
            component_type: "orchestrator".to_owned(),
            description: self.flavor.description().to_owned(),
            docs_url: self.flavor.docs_url().map(str::to_owned),
            logo_url: self.flavor.logo_url().map(str::to_owned),
            config_schema: schemars::schema_for!(F::Config).to_value(),
            settings_schema: self.flavor.settings_schema().map(|schema| schema.to_value()),
            supply: self.flavor.supply(),
        }
    }

    fn open(&mut self, open: Open) -> Result<Opened, RpcError> {
        let config = self.config(&open.config)?;
        let problems: Vec<String> = config.problems().iter().map(Problem::to_string).collect();
        if !problems.is_empty() {
            let (name, problems) = (&open.component, problems.join("; "));
            return Err(RpcError::failed(format!(
                "the orchestrator `{name}` has a wrong configuration: {problems}; correct it with `partita orchestrator update {name}`"
            )));
        }
        let stack = open.stack.clone();
        let orchestrator = F::Implementation::new(open.into(), config)?;
        if let Some(validator) = orchestrator.validator() {
            validator.validate(&stack)?;
        }
        let poll_interval = orchestrator.poll_interval();
        self.orchestrator = Some(Arc::new(orchestrator));
        Ok(Opened { poll_interval, ..Opened::default() })
    }

    fn about_jobs(&mut self, method: &str, params: Value) -> Result<Value, RpcError> {
        let closed = || RpcError::failed(format!("`{method}` comes after `open`"));
        let orchestrator = self.orchestrator.clone().ok_or_else(closed)?;
        let job = |params| read::<JobRequest>(params).map(|request| request.job);
        match method {
            method::LAUNCH => {
                let launch: Launch = read(params)?;
                let attempt = Attempt::of(&launch);
                let command =
                    entrypoint::command(orchestrator.entrypoint(), &attempt, launch.command)?;
                let job = orchestrator.launch(
                    &attempt,
                    &command,
                    &launch.environment,
                    &launch.resources,
                )?;
                self.wait(orchestrator, attempt.id, &job);
                said(&Launched { job })
            }
            method::POLL => said(&Status::from(orchestrator.poll(&job(params)?)?)),
            method::CANCEL => Ok(orchestrator.cancel(&job(params)?).map(|()| json!({}))?),
            method::FIND => {
                let Find { attempt } = read(params)?;
                let job = orchestrator.find(&attempt)?;
                if let Some(job) = &job {
                    self.wait(orchestrator, attempt, job);
                }
                said(&Found { job })
            }
            method::LOGS => said(&Logs { text: orchestrator.logs(&job(params)?)? }),
            _ => Err(unknown_method(method)),
        }
    }

    /// Has a job waited for on a thread of its own, and its end told, if that is claimed.
    fn wait(&mut self, orchestrator: Arc<F::Implementation>, attempt: String, job: &str) {
        if !F::Implementation::CAPABILITIES.contains(&Capability::Wait)
            || !self.waited_for.insert(attempt.clone())
        {
            return;
        }
        let (channel, job) = (self.channel.clone(), job.to_owned());
        thread::spawn(move || {
            // Nobody would hear of an end whose thread has none.
            let waited = catch_unwind(AssertUnwindSafe(|| orchestrator.wait(&job)));
            let report = match waited.unwrap_or_else(|_| Err(Error::failed("`wait` panicked"))) {
                Ok(JobReport { status: JobStatus::Active, .. }) => {
                    lost("`wait` returned before its end")
                }
                Ok(report) => report,
                Err(error) => lost(&error.to_string()),
            };
            channel.ended(attempt, report);
        });
    }

    fn config<T: Serialize>(&self, config: &T) -> Result<F::Config, RpcError> {
        said(config).and_then(read)
    }
}

/// Returns the report of a job of which nothing more will be known.
fn lost(why: &str) -> JobReport {
    let message = Some(format!("it cannot be waited for: {why}"));
    JobReport { message, ..JobStatus::Failed.into() }
}

fn read<T: DeserializeOwned>(params: Value) -> Result<T, RpcError> {
    serde_json::from_value(params)
        .map_err(|error| RpcError { code: code::INVALID_PARAMS, message: error.to_string() })
}

fn said<T: Serialize>(answer: &T) -> Result<Value, RpcError> {
    serde_json::to_value(answer).map_err(|error| RpcError::failed(error.to_string()))
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
