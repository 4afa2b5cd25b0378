//! Makes an executable of a flavor.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::marker::PhantomData;
use std::os::fd::AsFd;
use std::process::ExitCode;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::{dup2_stdout, getpgrp, getpid};
use partita_plugin::frame::{Frame, MAX_BYTES, RpcError, code};
use partita_plugin::message::{
    Description, Open, Opened, PROTOCOL, Problem, Validate, Validated, Welcome, method,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::channel::Channel;
use super::orchestrator::{Answered, Opening, Orchestrator, Serving};
use super::{BaseOrchestratorConfig, BaseOrchestratorFlavor, entered_step};

/// Serves a flavor over standard input and output until the input ends; this is all that the `main`
/// of an orchestrator does. What anything else prints goes to standard error. Started as an entrypoint
/// that the flavor's orchestrator has put before that of Partita, it enters a step instead.
///
/// `Way` is inferred: it says which of the two traits the flavor's implementation has.
pub fn serve<F, Way>(flavor: F) -> ExitCode
where
    F: BaseOrchestratorFlavor,
    F::Implementation: Orchestrator<Way, Config = F::Config>,
{
    if let Some(code) = entered_step::entered(&flavor) {
        return code;
    }
    // What it starts does not inherit what it speaks to Partita through.
    let own = std::io::stdout().as_fd().try_clone_to_owned();
    let moved = own.and_then(|own| Ok(dup2_stdout(std::io::stderr()).map(|()| own)?));
    match moved {
        Ok(own) => {
            if serve_on(flavor, std::io::stdin().lock(), Box::new(File::from(own))) {
                end_group();
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("standard output cannot be set aside for the plugin protocol: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Ends this process and what it has started, where Partita gave it a process group of its own. An
/// engine that was killed cannot do so, and its run may be resumed at once.
fn end_group() {
    if getpgrp() == getpid() {
        let _ = killpg(getpgrp(), Signal::SIGKILL);
    }
}

/// Serves a flavor over any two streams, until the input ends; returns whether what it has started
/// here is left.
pub(super) fn serve_on<F, Way>(flavor: F, input: impl Read, out: Box<dyn Write + Send>) -> bool
where
    F: BaseOrchestratorFlavor,
    F::Implementation: Orchestrator<Way, Config = F::Config>,
{
    let channel = Channel::new(out);
    let mut session =
        Session { flavor, serving: None, channel: channel.clone(), way: PhantomData::<Way> };
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input.by_ref().take(MAX_BYTES as u64).read_until(b'\n', &mut line);
        if !read.is_ok_and(|count| count > 0) {
            break;
        }
        match Frame::read(&line) {
            Ok(Frame::Request { id, method, params }) => {
                if let Answered::Now(result) = session.answer(&id, &method, params) {
                    channel.say(&Frame::Response { id, result });
                }
            }
            Ok(Frame::Response { id, result }) => channel.answered(&id, result),
            Ok(Frame::Notification { .. }) => {}
            Err(error) => eprintln!("what came is no message of the plugin protocol: {error}"),
        }
    }
    let is_left = session.serving.as_mut().is_some_and(|serving| serving.end());
    channel.close();
    is_left
}

struct Session<F, Way> {
    flavor: F,
    /// What answers for the orchestrator of the run.
    serving: Option<Box<dyn Serving>>,
    channel: Channel,
    way: PhantomData<Way>,
}

impl<F, Way> Session<F, Way>
where
    F: BaseOrchestratorFlavor,
    F::Implementation: Orchestrator<Way, Config = F::Config>,
{
    fn answer(&mut self, id: &Value, method: &str, params: Value) -> Answered {
        Answered::Now(match method {
            method::HELLO => said(&Self::welcome()),
            method::DESCRIBE => self.describe().and_then(|description| said(&description)),
            method::VALIDATE => read(params).and_then(|asked| said(&self.validate(&asked))),
            method::OPEN => {
                read(params).and_then(|open| self.open(open)).and_then(|opened| said(&opened))
            }
            _ => match &mut self.serving {
                Some(serving) => return serving.answer(id, method, params),
                None => Err(RpcError::failed(format!("`{method}` comes after `open`"))),
            },
        })
    }

    fn welcome() -> Welcome {
        let capabilities = F::Implementation::capabilities();
        let capabilities = capabilities.into_iter().map(str::to_owned).collect();
        Welcome { protocol: PROTOCOL, capabilities }
    }

    fn describe(&self) -> Result<Description, RpcError> {
        let supply = self.flavor.supply();
        if let Some(why) = F::Implementation::contradiction(None, &supply) {
            return Err(RpcError::failed(why));
        }
        Ok(Description {
            name: self.flavor.name().to_owned(),
            component_type: "orchestrator".to_owned(),
            description: self.flavor.description().to_owned(),
            docs_url: self.flavor.docs_url().map(str::to_owned),
            logo_url: self.flavor.logo_url().map(str::to_owned),
            config_schema: schemars::schema_for!(F::Config).to_value(),
            settings_schema: self.flavor.settings_schema().map(|schema| schema.to_value()),
            supply,
        })
    }

    fn validate(&self, Validate { config }: &Validate) -> Validated {
        match self.config(config) {
            Ok(config) => Validated {
                problems: self.problems(&config),
                is_remote: config.is_remote(),
                is_synchronous: config.is_synchronous(),
            },
            Err(error) => Validated {
                problems: vec![Problem { field: None, message: error.message }],
                ..Validated::default()
            },
        }
    }

    /// Returns what is wrong with a configuration that no schema can say.
    fn problems(&self, config: &F::Config) -> Vec<Problem> {
        let contradiction = F::Implementation::contradiction(Some(config), &self.flavor.supply());
        let told = |why: &str| Problem { field: None, message: why.to_owned() };
        config.problems().into_iter().chain(contradiction.map(told)).collect()
    }

    fn open(&mut self, open: Open) -> Result<Opened, RpcError> {
        let config = self.config(&open.config)?;
        let problems: Vec<String> = self.problems(&config).iter().map(Problem::to_string).collect();
        if !problems.is_empty() {
            let (name, problems) = (&open.component, problems.join("; "));
            return Err(RpcError::failed(format!(
                "the orchestrator `{name}` has a wrong configuration: {problems}; correct it with `partita orchestrator update {name}`"
            )));
        }
        let (supply, channel) = (self.flavor.supply(), self.channel.clone());
        let opening = Opening { run: open.into(), config, supply, channel };
        let serving = F::Implementation::open(opening)?;
        Ok(self.serving.insert(serving).opened())
    }

    fn config<T: Serialize>(&self, config: &T) -> Result<F::Config, RpcError> {
        said(config).and_then(read)
    }
}

pub(super) fn read<T: DeserializeOwned>(params: Value) -> Result<T, RpcError> {
    serde_json::from_value(params)
        .map_err(|error| RpcError { code: code::INVALID_PARAMS, message: error.to_string() })
}

pub(super) fn said<T: Serialize>(answer: &T) -> Result<Value, RpcError> {
    serde_json::to_value(answer).map_err(|error| RpcError::failed(error.to_string()))
}

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
