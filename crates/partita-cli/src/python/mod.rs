//! Hands a pipeline written in Python to a Python that has Partita's package.
//!
//! The command becomes that Python: same process, same terminal, so that Ctrl-C, debuggers and exit
//! codes are those of any script.

mod target;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use clap::Args;
use nix::sys::signal::Signal;
use serde::Serialize;

use crate::context::Context;
use crate::error::CommandError;
use crate::program::Program;

pub(crate) use partita_cli::interpreter::{Interpreter, find};
pub(crate) use partita_cli::pipeline_options::{PipelineOptions, parameters};

/// The file that hides the package: Python looks in the working directory first.
const HIDING: &str = "partita.py";

/// What to run, plan or compile, and how.
#[derive(Args)]
pub(crate) struct PipelineArgs {
    /// `file.py`, `file.py:pipeline`, `package.module:pipeline`, or a program in Rust, `./program` or `./program:pipeline`; the name is needed only where there are several.
    #[arg(value_name = "TARGET")]
    target: String,
    #[command(flatten)]
    options: PipelineOptions,
}

/// What the Python package is asked to do.
#[derive(Default, Serialize)]
pub(crate) struct Request {
    pub(crate) target: String,
    pub(crate) source_root: Option<String>,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) config: Option<String>,
    pub(crate) stack: Option<String>,
    pub(crate) enable_cache: Option<bool>,
    pub(crate) run_name: Option<String>,
    pub(crate) run_id: Option<String>,
    pub(crate) from_step: Option<String>,
    pub(crate) output: Option<String>,
    pub(crate) format: Option<&'static str>,
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    pub(crate) detach: bool,
}

impl PipelineArgs {
    /// Returns the program that the target names, if it is one, and how it is asked.
    pub(crate) fn program(&self) -> Option<(Program, Vec<String>)> {
        Some((Program::of(&self.target)?, self.options.words()))
    }

    /// Checks what can be checked without Python and returns the request.
    pub(crate) fn request(self, context: &Context) -> Result<Request, CommandError> {
        target::check(&self.target)?;
        let options = self.options;
        if let Some(config) = &options.config {
            target::check_file(config, "the configuration file")?;
        }
        Ok(Request {
            target: self.target,
            parameters: parameters(&options.parameters)?,
            config: options.config,
            stack: options.stack,
            enable_cache: options.no_cache.then_some(false),
            quiet: context.quiet,
            verbose: context.verbose,
            ..Request::default()
        })
    }
}

/// Becomes Python; returns only if that fails.
pub(crate) fn become_python(
    interpreter: &Interpreter,
    verb: &str,
    request: &Request,
) -> CommandError {
    match command(interpreter, verb, request) {
        Ok(mut command) => not_started(interpreter, &command.exec()),
        Err(error) => error,
    }
}

/// Starts a Python whose standard output is read.
pub(crate) fn start_python(
    interpreter: &Interpreter,
    verb: &str,
    request: &impl Serialize,
) -> Result<Child, CommandError> {
    let mut command = command(interpreter, verb, request)?;
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().map_err(|error| not_started(interpreter, &error))
}

/// Starts a Python that goes on by itself once its run has begun; returns the run's name.
pub(crate) fn begin_python(
    interpreter: &Interpreter,
    verb: &str,
    request: &Request,
) -> Result<String, CommandError> {
    let mut python = start_python(interpreter, verb, request)?;
    let mut name = String::new();
    if let Some(stdout) = python.stdout.take() {
        BufReader::new(stdout).read_line(&mut name).map_err(|error| {
            CommandError::failed(format!(
                "what became of the run cannot be read: {error}; `partita runs list` shows it"
            ))
        })?;
    }
    match name.strip_suffix('\n') {
        Some(name) => Ok(name.to_owned()),
        None => Err(not_begun(&mut python)),
    }
}

/// Returns why a Python ended before its run had begun, unless it has told so itself.
fn not_begun(python: &mut Child) -> CommandError {
    let ended = match python.wait() {
        Ok(ended) => ended,
        Err(error) => return CommandError::bug(error),
    };
    let how = match (ended.code(), ended.signal().map(Signal::try_from)) {
        (Some(code @ (1 | 2 | 70 | 130)), _) => return CommandError::Told(code as u8),
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(Ok(signal))) => format!("signal {signal}"),
        (None, _) => "a signal".to_owned(),
    };
    CommandError::failed(format!(
        "Python ended with {how} before the run had begun; run it without `--detach` to see why"
    ))
}

fn command(
    interpreter: &Interpreter,
    verb: &str,
    request: &impl Serialize,
) -> Result<Command, CommandError> {
    check_not_hidden()?;
    interpreter.check_package()?;
    let request = serde_json::to_string(request).map_err(CommandError::bug)?;
    let mut command = Command::new(&interpreter.path);
    command.args(["-m", "partita", verb, &request]);
    Ok(command)
}

/// Refuses to start where Python would take a file of the author for Partita's package.
fn check_not_hidden() -> Result<(), CommandError> {
    if !Path::new(HIDING).exists() {
        return Ok(());
    }
    Err(CommandError::failed(format!(
        "`{HIDING}` in this folder hides the package `partita` from Python; give the file another name"
    )))
}

fn not_started(interpreter: &Interpreter, error: &std::io::Error) -> CommandError {
    if error.raw_os_error() == Some(nix::errno::Errno::E2BIG as i32) {
        return CommandError::usage(
            "the parameters are too long for a command; put them into a file and name it with `--config`",
        );
    }
    interpreter.cannot_start(error)
}
