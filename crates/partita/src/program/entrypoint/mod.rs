//! `PROGRAM entrypoint …`: runs exactly one step of a run, in whatever place it was started.

mod alone;
mod options;
mod supervised;
mod terms;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use partita_cli::error::{CANCELLED, FAILED, USAGE};
use partita_cli::interpreter;
use partita_core::launcher::{ENTRYPOINT_CONFIG_SOURCE, Outcome, PYTHON_ENTRYPOINT};
use partita_core::run::Failure;
use partita_engine::step_runner::{Entered, RunEntry, StepEntry};
use signal_hook::consts::{SIGINT, SIGTERM};

use self::alone::Alone;
use self::options::Given;
use self::terms::Terms;
use super::offered::{self, OfferedStep};
use super::own;
use crate::caller::ProgramCaller;
use crate::capture::Capture;
use crate::load::LatestList;
use crate::pipeline::{self, Pipeline};
use crate::step::Step;

/// Why no attempt was made, and the exit code that says so.
struct Refused(u8, String);

impl<E: std::error::Error> From<E> for Refused {
    fn from(error: E) -> Self {
        Self(FAILED, error.to_string())
    }
}

/// Runs the step that these words name.
pub(super) fn main(pipelines: &[Pipeline], steps: &[OfferedStep], words: &[OsString]) -> ExitCode {
    let offered = &Offered { pipelines, steps };
    let told = match options::source(words) {
        Some(source) if !is_own(&source) => Err(become_python(&source, words)),
        _ => options::read(words)
            .map_err(|message| Refused(USAGE, message))
            .and_then(|given| enter(offered, &given)),
    };
    match told {
        Ok(code) => code,
        Err(Refused(code, message)) => {
            say(&format!("error: {message}"));
            ExitCode::from(code)
        }
    }
}

fn enter(offered: &Offered<'_>, given: &Given) -> Result<ExitCode, Refused> {
    let option = |name: &str| given.get(name).map(String::as_str).unwrap_or_default();
    let number = number(option("attempt"))?;
    let item = given.get("item").map(|item| self::item(item)).transpose()?;
    let terms = Terms::from_environment()?;
    terms.apply()?;
    let run = RunEntry::open(option("artifact_store"), option("deployment_id"), option("run_id"))?;
    let run = Arc::new(run);
    let entry = StepEntry::named(Arc::clone(&run), option("step_name"), item)?;
    check_program(&entry)?;
    match number {
        None => Alone::new(run, entry, given, &terms)?.run(offered.pipelines),
        Some(number) => attempt(offered, &entry, number, &terms),
    }
}

/// Makes an attempt in this process.
fn attempt(
    offered: &Offered<'_>,
    entry: &StepEntry,
    number: u32,
    terms: &Terms,
) -> Result<ExitCode, Refused> {
    if let Err(why) = terms.hand_secrets(entry).and_then(|()| terms.check_gpus(entry)) {
        entry.refuse(number, &why);
        return Err(Refused(FAILED, why));
    }
    let steps = offered.steps(entry);
    let run = entry.run_entry();
    let is_interrupted = Arc::new(AtomicBool::new(false));
    if run.deployment().command_of(entry.step()).is_some() {
        // The command is ended first; whatever else a step does, a signal ends it at once.
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&is_interrupted))?;
        }
    }
    let capture = if terms.is_recorded { None } else { Some(Capture::begin(None)?) };
    let mut caller = ProgramCaller {
        steps: &steps,
        run_name: &run.header().name,
        store: run.store(),
        progress: None,
        capture: capture.as_ref(),
        is_labelled: terms.is_labelled,
        is_interrupted: &|| is_interrupted.load(Ordering::SeqCst),
        list: LatestList::default(),
    };
    let entered = entry.run(terms.which(number), &mut caller)?;
    Ok(told(entry, entered, number, terms.is_told()))
}

/// Returns whether a program is what this source names: it reads the standard options, and no others.
fn is_own(source: &str) -> bool {
    // Python names it by the module that it is defined in.
    const IN_ITS_MODULE: &str =
        "partita.entrypoints.step_entrypoint_configuration.StepEntrypointConfiguration";
    [ENTRYPOINT_CONFIG_SOURCE, IN_ITS_MODULE].contains(&source)
}

/// Has the class that an orchestrator names read its options, start this program once more with those
/// that are left, and do what follows the step. Returns why that cannot be.
fn become_python(source: &str, words: &[OsString]) -> Refused {
    let found = interpreter::find().and_then(|found| found.check_package().map(|()| found));
    let why = match found {
        Ok(found) => {
            let mut python = Command::new(&found.path);
            let error = python.args(["-m", PYTHON_ENTRYPOINT]).args(words).exec();
            format!("`{}` cannot be started: {error}", found.path.display())
        }
        Err(error) => error.said(),
    };
    Refused(FAILED, format!("`{source}` is a class in Python: {why}"))
}

/// Refuses to run a step of another program than the one that the deployment was compiled with.
fn check_program(entry: &StepEntry) -> Result<(), Refused> {
    let deployment = entry.run_entry().deployment();
    let Some(program) = deployment.program_of(entry.step()) else {
        return Err(Refused(
            FAILED,
            format!(
                "step `{}` is not one of a program in Rust; enter it with Python",
                entry.step().name
            ),
        ));
    };
    if own::digest()? == program.digest {
        return Ok(());
    }
    Err(Refused(
        FAILED,
        format!(
            "this is another program than the one that the deployment was compiled with (`{}`); bring that one, or run the pipeline anew",
            program.path
        ),
    ))
}

/// What this program has.
struct Offered<'a> {
    pipelines: &'a [Pipeline],
    steps: &'a [OfferedStep],
}

impl Offered<'_> {
    /// Returns the steps of the entered pipeline, by source; all steps, where that is one in another
    /// language.
    fn steps(&self, entry: &StepEntry) -> BTreeMap<&'static str, Step> {
        let deployed = &entry.run_entry().deployment().pipeline;
        let own = self.pipelines.iter().find(|pipeline| pipeline.source == deployed.source);
        let Some(pipeline) = own else { return offered::all(self.pipelines, self.steps) };
        let parameters = deployed.parameters.iter();
        let given: pipeline::Given =
            parameters.map(|(name, value)| (name.clone(), (value.clone(), None))).collect();
        pipeline.trace(given, None).steps
    }
}

/// Says how an attempt ended, as far as nobody else does.
fn told(entry: &StepEntry, entered: Entered, number: u32, is_told: bool) -> ExitCode {
    let step = &entry.step().name;
    match entered {
        Entered::AlreadyCommitted => say(&format!("step `{step}` is committed already")),
        Entered::Cached => say(&format!("step `{step}` is cached")),
        Entered::Ran(Outcome::Completed(_)) => {}
        Entered::Ran(Outcome::Cancelled) => return ExitCode::from(CANCELLED),
        Entered::Ran(Outcome::Failed(failure) | Outcome::GaveUp(failure)) => {
            // Its record says it, where there is one.
            if !is_told || !entry.is_recorded(number) {
                say(&format!("error: step `{step}` failed: {}", described(&failure)));
            }
            return ExitCode::from(FAILED);
        }
    }
    ExitCode::SUCCESS
}

fn described(failure: &Failure) -> String {
    match failure.kind.as_str() {
        "partita" => failure.message.clone(),
        kind => format!("{kind}: {}", failure.message),
    }
}

fn number(text: &str) -> Result<Option<u32>, Refused> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(Some(number)),
        _ if text == "auto" => Ok(None),
        _ => Err(Refused(
            USAGE,
            format!("`--attempt` is a number from 1, or `auto` for the next one, not `{text}`."),
        )),
    }
}

fn item(text: &str) -> Result<u32, Refused> {
    text.parse().map_err(|_| Refused(USAGE, format!("`--item` is a number from 0, not `{text}`.")))
}

fn say(text: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "{text}");
}
