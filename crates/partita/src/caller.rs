//! Calls the steps of a program for the step runner.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Once};

use partita_cli::progress::{Progress, Stream};
use partita_core::launcher::Attempt;
use partita_core::run::Failure;
use partita_engine::step_runner::{LogStream, Returned, StepCall, StepCaller, Stopped};
use partita_engine::store::ArtifactStore;

use crate::Error;
use crate::capture::Capture;
use crate::context::StepContext;
use crate::load::{Inputs, LatestList};
use crate::panics;
use crate::save::Saver;
use crate::step::Step;

thread_local! {
    /// Where a step of this thread has panicked, while one runs.
    static PANICKED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The steps of a pipeline, by source, as they are called in this process.
pub(crate) struct ProgramCaller<'a> {
    pub(crate) steps: &'a BTreeMap<&'static str, Step>,
    pub(crate) run_name: &'a str,
    pub(crate) store: &'a Arc<dyn ArtifactStore>,
    /// What is drawn on the terminal, in a process that draws.
    pub(crate) progress: Option<&'a Progress>,
    /// What records what steps print; `None` where somebody else does.
    pub(crate) capture: Option<&'a Capture>,
    /// Whether what is shown begins with the step's name, line by line.
    pub(crate) is_labelled: bool,
    /// Whether a signal has come, for commands that are waited for.
    pub(crate) is_interrupted: &'a dyn Fn() -> bool,
    pub(crate) list: LatestList,
}

impl ProgramCaller<'_> {
    fn step(&self, attempt: &Attempt) -> Result<&Step, Failure> {
        // A pipeline in another language marks what it has twice.
        let source = attempt.step().source.trim_end_matches('\'');
        self.steps.get(source).ok_or_else(|| {
            Failure::ours(format!(
                "this program's pipeline has no step `{source}` any more; run the program that the deployment was compiled with"
            ))
        })
    }
}

impl StepCaller for ProgramCaller<'_> {
    fn call(&mut self, call: &StepCall<'_>) -> Result<Returned, Stopped> {
        let step = self.step(call.attempt).map_err(Stopped::Failed)?;
        let stager = call.stager();
        let mut saver = Saver::new(&stager);
        let mut inputs = Inputs::of(call, &**self.store, &self.list);
        let context = StepContext::of(call, self.run_name);
        let recording = self.capture.map(|capture| capture.record(call, self.is_labelled));
        let called = caught(|| context.within(|| step.call(&mut inputs, &mut saver)));
        drop(recording);
        match called.map_err(Stopped::Failed)? {
            Ok(()) => Ok(Returned { outputs: saver.outputs }),
            Err(error) => Err(Stopped::Failed(failure(&error))),
        }
    }

    fn on_success(&mut self, attempt: &Attempt) -> Result<(), String> {
        let Ok(step) = self.step(attempt) else { return Ok(()) };
        caught(|| step.succeeded()).map_err(|failure| failure.message)
    }

    fn on_failure(&mut self, attempt: &Attempt, failure: &Failure) -> Result<(), String> {
        let Ok(step) = self.step(attempt) else { return Ok(()) };
        caught(|| step.failed(failure)).map_err(|failure| failure.message)
    }

    fn is_recorded(&self) -> bool {
        self.capture.is_none()
    }

    fn is_labelled(&self) -> bool {
        self.is_labelled
    }

    fn show(&mut self, stream: LogStream, text: &str) {
        let shown = match stream {
            LogStream::Stdout => Stream::Stdout,
            LogStream::Stderr => Stream::Stderr,
        };
        if let Some(progress) = self.progress {
            progress.make_room(shown, text);
        }
        // Nobody may be reading.
        let _ = match stream {
            LogStream::Stdout => io::stdout().write_all(text.as_bytes()),
            LogStream::Stderr => io::stderr().write_all(text.as_bytes()),
        };
        if let Some(progress) = self.progress {
            progress.printed(shown);
        }
    }

    fn is_interrupted(&mut self) -> bool {
        (self.is_interrupted)()
    }
}

/// Returns the failure of a step that returned an error, with everything that it says of its causes.
fn failure(error: &Error) -> Failure {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let text = deeper.to_string();
        // Some errors tell of their cause themselves.
        if !message.ends_with(&text) {
            message = format!("{message}: {text}");
        }
        cause = deeper.source();
    }
    Failure { kind: "Error".to_owned(), ..Failure::ours(message) }
}

/// Calls the author's code; a panic is a failure, and is not told of as a bug in Partita.
pub(crate) fn caught<R>(call: impl FnOnce() -> R) -> Result<R, Failure> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let is_ours = PANICKED.with_borrow_mut(|place| {
                let at = panic.location().map(ToString::to_string).unwrap_or_default();
                place.as_mut().map(|place| *place = at)
            });
            if is_ours.is_none() {
                others(panic);
            }
        }));
    });
    PANICKED.set(Some(String::new()));
    let called = catch_unwind(AssertUnwindSafe(call));
    let place = PANICKED.take().unwrap_or_default();
    called.map_err(|payload| Failure {
        kind: "panic".to_owned(),
        message: format!("{} at {place}", panics::said(&*payload)),
        traceback: None,
        exit_code: None,
    })
}
