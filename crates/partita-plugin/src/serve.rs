//! Makes an executable of an orchestrator that is written in Rust.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use nix::unistd::{dup, dup2_stdout};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::frame::{Frame, MAX_BYTES, RpcError, code};
use crate::message::{
    Description, Find, Found, JobRequest, Launch, Launched, Logs, Open, Opened, PROTOCOL, Problem,
    Status, StatusOf, Supply, Validate, Validated, Welcome, method,
};
use crate::process::unknown_method;

/// A flavor of orchestrators.
pub trait OrchestratorFlavor {
    /// The configuration of its components.
    type Config: DeserializeOwned + JsonSchema;

    /// Returns its name.
    fn name(&self) -> String;

    /// Returns one sentence on what it does.
    fn description(&self) -> String;

    /// Returns what its launchers can do besides what every one can: words of
    /// [`capability`](crate::message::capability).
    fn capabilities(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns what steps may ask of it.
    fn supply(&self) -> Supply {
        Supply::default()
    }

    /// Returns the JSON Schema of its settings on pipelines and steps, if it takes any.
    fn settings_schema(&self) -> Option<Value> {
        None
    }

    /// Returns what is wrong with a configuration that fits the schema.
    fn check(&self, _config: &Self::Config) -> Vec<Problem> {
        Vec::new()
    }

    /// Returns the launcher of a run.
    ///
    /// # Errors
    /// Why there is none.
    fn open(
        &self,
        run: Open,
        config: Self::Config,
        reporter: Reporter,
    ) -> Result<Box<dyn Launcher>, RpcError>;
}

/// Starts attempts, knows how they stand, and cancels them; the engine does the rest.
pub trait Launcher {
    /// Starts an attempt and returns the backend's name for it.
    ///
    /// # Errors
    /// If it was not started.
    fn launch(&mut self, launch: Launch) -> Result<String, RpcError>;

    /// Returns where a job stands.
    ///
    /// # Errors
    /// If that cannot be found out.
    fn poll(&mut self, job: &str) -> Result<Status, RpcError>;

    /// Asks a job to end. Asked once more, it ends it at once if it can.
    ///
    /// # Errors
    /// If the backend did not take the request.
    fn cancel(&mut self, job: &str) -> Result<(), RpcError>;

    /// Returns the seconds between two polls, where ends are not reported.
    fn poll_interval(&self) -> f64 {
        Opened::default().poll_interval
    }

    /// Returns the job of an attempt, by its id.
    ///
    /// # Errors
    /// If that cannot be found out.
    fn find(&mut self, _attempt: &str) -> Result<Option<String>, RpcError> {
        Err(unknown_method(method::FIND))
    }

    /// Returns what a job has printed.
    ///
    /// # Errors
    /// If that cannot be found out.
    fn logs(&mut self, _job: &str) -> Result<String, RpcError> {
        Err(unknown_method(method::LOGS))
    }
}

/// Tells Partita that attempts have ended, from any thread.
#[derive(Clone)]
pub struct Reporter(Arc<Mutex<Box<dyn Write + Send>>>);

impl Reporter {
    /// Reports how an attempt ended; one that was reported is not reported again.
    pub fn ended(&self, attempt: &str, status: Status) {
        let told = StatusOf { attempt: attempt.to_owned(), status };
        let params = serde_json::to_value(told).unwrap_or_default();
        self.say(&Frame::Notification { method: method::STATUS.to_owned(), params });
    }

    fn say(&self, frame: &Frame) {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever does not listen any more has closed standard input, too.
        let _ = out.write_all(&frame.line()).and_then(|()| out.flush());
    }
}

/// Serves a flavor over standard input and output until the input ends. What anything else prints
/// goes to standard error.
pub fn serve(flavor: impl OrchestratorFlavor) -> ExitCode {
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
fn serve_on(flavor: impl OrchestratorFlavor, input: impl Read, out: Box<dyn Write + Send>) {
    let reporter = Reporter(Arc::new(Mutex::new(out)));
    let mut session = Session { flavor, launcher: None, reporter: reporter.clone() };
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
                reporter.say(&Frame::Response { id, result });
            }
            Ok(Frame::Notification { .. } | Frame::Response { .. }) => {}
            Err(error) => eprintln!("what came is no message of the plugin protocol: {error}"),
        }
    }
}

struct Session<F> {
    flavor: F,
    launcher: Option<Box<dyn Launcher>>,
    reporter: Reporter,
}

impl<F: OrchestratorFlavor> Session<F> {
    fn answer(&mut self, method: &str, params: Value) -> Result<Value, RpcError> {
        match method {
            method::HELLO => {
                said(&Welcome { protocol: PROTOCOL, capabilities: self.flavor.capabilities() })
            }
            method::DESCRIBE => said(&self.describe()),
            method::VALIDATE => {
                let Validate { config } = read(params)?;
                let problems = match self.config(&config) {
                    Ok(config) => self.flavor.check(&config),
                    Err(error) => vec![Problem { field: None, message: error.message }],
                };
                said(&Validated { problems, ..Validated::default() })
            }
            method::OPEN => {
                let run: Open = read(params)?;
                let config = self.config(&run.config)?;
                let launcher = self.flavor.open(run, config, self.reporter.clone())?;
                let poll_interval = launcher.poll_interval();
                self.launcher = Some(launcher);
                said(&Opened { poll_interval, ..Opened::default() })
            }
            _ => self.about_jobs(method, params),
        }
    }

    fn about_jobs(&mut self, method: &str, params: Value) -> Result<Value, RpcError> {
        let closed = || RpcError::failed(format!("`{method}` comes after `open`"));
        let launcher = self.launcher.as_mut().ok_or_else(closed)?;
        let job = |params| read::<JobRequest>(params).map(|request| request.job);
        match method {
            method::LAUNCH => said(&Launched { job: launcher.launch(read(params)?)? }),
            method::POLL => said(&launcher.poll(&job(params)?)?),
            method::CANCEL => launcher.cancel(&job(params)?).map(|()| json!({})),
            method::FIND => {
                let Find { attempt } = read(params)?;
                said(&Found { job: launcher.find(&attempt)? })
            }
            method::LOGS => said(&Logs { text: launcher.logs(&job(params)?)? }),
            _ => Err(unknown_method(method)),
        }
    }

    fn describe(&self) -> Description {
        Description {
            name: self.flavor.name(),
            component_type: "orchestrator".to_owned(),
            description: self.flavor.description(),
            docs_url: None,
            logo_url: None,
            config_schema: schemars::schema_for!(F::Config).to_value(),
            settings_schema: self.flavor.settings_schema(),
            supply: self.flavor.supply(),
        }
    }

    fn config<T: Serialize>(&self, config: &T) -> Result<F::Config, RpcError> {
        said(config).and_then(read)
    }
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
