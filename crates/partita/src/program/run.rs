//! Runs, plans and compiles pipelines of this program.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, IntoRawFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use nix::unistd::{dup2_stdout, setsid};
use partita_cli::context::Context;
use partita_cli::error::{CANCELLED, CommandError, FAILED};
use partita_cli::format::Format;
use partita_cli::pipeline::{self, Attended, Earlier, Ended, PythonPath, Request};
use partita_cli::pipeline_options::{PipelineOptions, parameters};
use partita_cli::plan_view::{self, View};
use partita_cli::{build_view, interpreter, places, terminal};
use partita_core::diagnostic::Report;
use partita_core::launcher::Outcome;
use partita_core::literal::Literal;
use partita_core::run::Target;
use partita_core::status::RunStatus;
use partita_engine::compile::ConfigFile;
use partita_engine::step_runner::run_attempt;
use partita_engine::store::Documents;
use partita_orchestrators::local::Next;

use super::own::OwnProgram;
use super::signals::{self, Signals};
use crate::caller::ProgramCaller;
use crate::capture::Capture;
use crate::load::LatestList;
use crate::pipeline::{Given, Pipeline};
use crate::step::Step;

/// A pipeline that was traced, and how it was asked for.
struct Traced {
    request: Request,
    steps: BTreeMap<&'static str, Step>,
}

/// Runs a pipeline to its end.
pub(super) fn run(
    pipeline: &Pipeline,
    options: PipelineOptions,
    name: Option<String>,
    detached: bool,
    context: &Context,
) -> Result<(), CommandError> {
    let signals = signals::hear().map_err(|error| system(&error))?;
    let none = BTreeMap::new();
    let Traced { mut request, steps } = traced(pipeline, options, none, context)?;
    request.run_name = name;
    if detached {
        request.detach = Some(leave_terminal().map_err(|error| system(&error))?);
    }
    let ended = pipeline::run(request, &python(), None, |run| attend(run, &steps, signals))?;
    told(pipeline, &ended, context)
}

/// Continues a run.
pub(super) fn resume(
    pipeline: &Pipeline,
    options: PipelineOptions,
    run_id: String,
    from_step: Option<String>,
    context: &Context,
) -> Result<(), CommandError> {
    let signals = signals::hear().map_err(|error| system(&error))?;
    let session = context.session()?;
    let run = session.home().with_runs(|runs| runs.get(&run_id))?;
    let store = session.home().store_at(&run.store)?;
    let target = Documents::new(&*store).run_header(&run_id)?.target.unwrap_or_default();
    drop(session);
    let mut options = options;
    options.config = options.config.or(target.config);
    options.no_cache |= target.enable_cache == Some(false);
    let Traced { request, steps } = traced(pipeline, options, target.parameters, context)?;
    let earlier = Earlier { run_id, from_step };
    let attend = |run: &Attended<'_>| attend(run, &steps, signals);
    told(pipeline, &pipeline::resume(request, earlier, &python(), None, attend)?, context)
}

/// Starts this program once more, to run the pipeline by itself, and prints the run's name.
pub(super) fn begin(
    words: &[String],
    name: Option<String>,
    context: &Context,
) -> Result<(), CommandError> {
    let own = std::env::current_exe().map_err(|error| system(&error))?;
    let name = name.map(|name| format!("--name={name}"));
    let mut child = Command::new(own)
        .args(["run", "--detached"])
        .args(words)
        .args(name)
        .args(context.quiet.then_some("--quiet"))
        .args(context.verbose.then_some("--verbose"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| system(&error))?;
    let mut name = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut name).map_err(|error| system(&error))?;
    }
    let Some(name) = name.strip_suffix('\n') else {
        let code = child.wait().ok().and_then(|status| status.code());
        let code = code.and_then(|code| u8::try_from(code).ok());
        return Err(CommandError::Told(code.unwrap_or(FAILED)));
    };
    context.say(&format!("`partita runs watch {}` shows it", terminal::shell_word(name)));
    context.stream(|out| writeln!(out, "{name}"))
}

/// Makes a session of its own for a run that goes on by itself. Returns where its name is told.
fn leave_terminal() -> std::io::Result<i32> {
    setsid()?;
    let channel = std::io::stdout().as_fd().try_clone_to_owned()?;
    dup2_stdout(std::io::stderr())?;
    Ok(channel.into_raw_fd())
}

/// Says what a run would do.
pub(super) fn plan(
    pipeline: &Pipeline,
    options: PipelineOptions,
    format: Format,
    context: &Context,
) -> Result<(), CommandError> {
    let planned = pipeline::plan(traced(pipeline, options, BTreeMap::new(), context)?.request)?;
    let rows: Vec<plan_view::Row> = planned.iter().map(plan_view::Row::from).collect();
    let text = plan_view::render(&rows, View::on_stdout(format, context.verbose));
    context.data(&text.map_err(CommandError::bug)?)
}

/// Makes the images of the steps.
pub(super) fn build(
    pipeline: &Pipeline,
    options: PipelineOptions,
    format: Format,
    context: &Context,
) -> Result<(), CommandError> {
    let made = pipeline::build(traced(pipeline, options, BTreeMap::new(), context)?.request)?;
    context.data(&build_view::render(&made, format).map_err(CommandError::bug)?)
}

/// Writes the deployment.
pub(super) fn compile(
    pipeline: &Pipeline,
    options: PipelineOptions,
    output: Option<&str>,
    context: &Context,
) -> Result<(), CommandError> {
    let document = pipeline::compile(traced(pipeline, options, BTreeMap::new(), context)?.request)?;
    let Some(output) = output else {
        return context.stream(|out| out.write_all(&document));
    };
    std::fs::write(output, document)
        .map_err(|error| CommandError::failed(format!("`{output}` cannot be written: {error}")))?;
    context.say(&format!("`{output}` holds the deployment now"));
    Ok(())
}

fn traced(
    pipeline: &Pipeline,
    options: PipelineOptions,
    mut typed: BTreeMap<String, Literal>,
    context: &Context,
) -> Result<Traced, CommandError> {
    let own = OwnProgram::find()
        .map_err(|error| CommandError::failed(format!("this program cannot be read: {error}")))?;
    let folder = context.folder()?;
    let source_root = places::source_root(&folder).unwrap_or(folder);
    let config = options.config.as_deref().map(absolute).transpose()?;
    let mut given = Given::new();
    if let Some(config) = &config {
        let file = ConfigFile::read(config).map_err(pipeline::Error::from)?;
        for (name, value, location) in file.parameters() {
            given.insert(name.to_owned(), (value.clone(), location.cloned()));
        }
    }
    for (name, text) in parameters(&options.parameters)? {
        let value = read(pipeline, &name, &text)?;
        typed.insert(name, value);
    }
    given.extend(typed.iter().map(|(name, value)| (name.clone(), (value.clone(), None))));
    let traced = pipeline.trace(given, Some(&own));
    if !traced.is_whole {
        let problems = traced.spec.parameter_problems;
        return Err(pipeline::Error::Refused(Report { problems }).into());
    }
    let target = Target {
        source_root: source_root.display().to_string(),
        source: pipeline.name.clone(),
        interpreter: String::new(),
        program: Some(own.program.path),
        config: config.as_ref().map(|config| config.display().to_string()),
        options: None,
        enable_cache: options.no_cache.then_some(false),
        parameters: typed.clone(),
    };
    let request = Request {
        source_root,
        spec: traced.spec,
        config,
        parameters: typed,
        stack: options.stack,
        enable_cache: options.no_cache.then_some(false),
        run_name: None,
        target: Some(target),
        quiet: context.quiet,
        verbose: context.verbose,
        raises: false,
        detach: None,
        python: None,
    };
    Ok(Traced { request, steps: traced.steps })
}

fn absolute(file: &str) -> Result<PathBuf, CommandError> {
    if !Path::new(file).is_file() {
        return Err(CommandError::usage(format!(
            "the configuration file `{file}` does not exist; check its path, which starts in the working directory"
        )));
    }
    std::path::absolute(file).map_err(|error| system(&error))
}

/// Reads a value that was typed: for a parameter that takes text as it is, else as JSON where that
/// fits.
fn read(pipeline: &Pipeline, name: &str, text: &str) -> Result<Literal, CommandError> {
    let known = pipeline.parameters.iter().find(|parameter| parameter.name == name);
    let kinds = known.and_then(|parameter| parameter.kinds.as_deref()).unwrap_or_default();
    let as_json = match kinds {
        [only] if only == "str" => None,
        _ => Literal::parse(match text {
            "True" => "true",
            "False" => "false",
            "None" => "null",
            other => other,
        })
        .ok(),
    };
    match as_json {
        Some(value) => Ok(value),
        None => crate::value::literal(text).map_err(CommandError::bug),
    }
}

/// Returns the Python that hosts flavors in Python.
fn python() -> PythonPath {
    interpreter::find().map(|found| found.path).map_err(|error| error.said())
}

/// Runs the steps of a run as they come, on this thread, until it is over.
fn attend(run: &Attended<'_>, steps: &BTreeMap<&'static str, Step>, signals: Signals) -> bool {
    let told = run.steps.bell().try_clone_to_owned();
    let told = told.map(|bell| signals.cancel(Arc::clone(run.cancel), bell)).unwrap_or_default();
    let capture = Capture::begin(Some(Arc::clone(run.progress))).ok();
    let mut caller = ProgramCaller {
        steps,
        run_name: run.run_name,
        store: &run.context.store,
        progress: Some(run.progress),
        capture: capture.as_ref(),
        is_labelled: false,
        is_interrupted: &|| told.is_told(),
        list: LatestList::default(),
    };
    loop {
        match run.steps.next() {
            // The driver had handed it over before it knew of the signal.
            Next::Step(attempt, reports) if told.is_told() => {
                reports.ended(attempt.unit(), attempt.number, Outcome::Cancelled);
            }
            Next::Step(attempt, reports) => {
                let outcome = run_attempt(run.context, &attempt, &mut caller);
                reports.ended(attempt.unit(), attempt.number, outcome);
            }
            Next::Signal => {}
            Next::Ended => return told.is_told(),
        }
    }
}

/// Calls the pipeline's hook; returns how a run ended, which its display has told.
fn told(pipeline: &Pipeline, ended: &Ended<bool>, context: &Context) -> Result<(), CommandError> {
    if let Some(warning) = &ended.warning {
        context.warn(warning);
    }
    if let Err((hook, said)) = pipeline.ended(ended.status, ended.error.as_deref()) {
        let name = &pipeline.name;
        context.warn(&format!("the hook `{hook}` of pipeline `{name}` panicked: {said}"));
    }
    match ended.status {
        RunStatus::Completed if ended.attended => Err(CommandError::Told(CANCELLED)),
        RunStatus::Completed | RunStatus::Submitted => Ok(()),
        RunStatus::Cancelled => Err(CommandError::Told(CANCELLED)),
        _ => Err(CommandError::Told(FAILED)),
    }
}

fn system(error: &dyn std::fmt::Display) -> CommandError {
    CommandError::failed(format!("the system refuses it: {error}"))
}
