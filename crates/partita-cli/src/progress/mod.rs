//! Shows a run while it goes on: drawn live on a terminal, one plain line an event elsewhere.
//!
//! What is said is decided in `words`; `shown` decides who may write to the terminal, and `canvas`
//! writes. Everything goes to standard error.

mod canvas;
mod live;
mod shown;
mod state;
#[cfg(test)]
mod tests;
mod words;

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use partita_core::time::Timestamp;
use partita_engine::clock;
use partita_engine::drive::{Observer, RunEvent};
use partita_engine::runs::{Follower, Happened, LiveRun};
use partita_engine::store::{ArtifactStore, layout};

use crate::terminal;
use canvas::Canvas;
use live::Live;
use shown::Shown;
use state::State;

/// How much is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// Only failures.
    pub quiet: bool,
    /// Also why steps are cached.
    pub verbose: bool,
    /// The caller raises what the first failed step raised, and so shows its traceback.
    pub raises: bool,
}

/// A stream that steps print to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output, which may go elsewhere than to the terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The display of one run. It may be shared between threads.
pub struct Progress {
    screen: Arc<Screen>,
    live: Option<Live>,
    stdout_is_terminal: bool,
    pid: u32,
}

/// What the driver's thread, the drawing thread and printing steps share.
struct Screen {
    shown: Mutex<Shown>,
}

impl Screen {
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    /// Returns the display of a run that is about to be executed.
    pub fn new(run: &LiveRun, style: Style) -> Self {
        let context = run.context();
        let mut state = State::new(Arc::clone(&context.deployment), &run.header().name);
        state.can_resume = run.header().target.is_some();
        state.finished_before = run.committed().iter().filter(|done| **done).count();
        Self::show(state, &run.header().id, Arc::clone(&context.store), style)
    }

    /// Returns the display of a run that another process drives.
    pub fn following(run: &Follower, style: Style) -> Self {
        let mut state = State::new(Arc::clone(run.deployment()), &run.header().name);
        state.started = moment(run.header().started_at);
        state.can_resume = run.header().target.is_some();
        Self::show(state, &run.header().id, Arc::clone(run.store()), style)
    }

    fn show(state: State, run_id: &str, store: Arc<dyn ArtifactStore>, style: Style) -> Self {
        let deployment = Arc::clone(&state.deployment);
        let mut shown = Shown::new(state, style, Canvas::new(Box::new(std::io::stderr())));
        let run_id = run_id.to_owned();
        shown.has_log = Box::new(move |unit, attempt| {
            let name = &deployment.steps[unit.step].name;
            store.read(&layout::log(&run_id, unit, name, attempt)).is_ok()
        });
        shown.is_live = terminal::stderr_is_live() && !style.quiet;
        shown.colour = terminal::stderr_has_colour();
        let is_live = shown.is_live;
        let screen = Arc::new(Screen { shown: Mutex::new(shown) });
        let live = is_live.then(|| Live::start(Arc::clone(&screen)));
        let stdout_is_terminal = std::io::stdout().is_terminal();
        Self { screen, live, stdout_is_terminal, pid: std::process::id() }
    }

    /// Shows what has happened in a run that another process drives.
    pub fn happened(&self, happened: &Happened) {
        self.on_at(&happened.event, moment(happened.at));
    }

    /// Shows what happened in a run at a time.
    pub fn on_at(&self, event: &RunEvent, at: Instant) {
        self.screen.shown().on(event, at);
        if let (RunEvent::RunEnded { .. }, Some(live)) = (event, &self.live) {
            live.stop();
        }
    }

    /// Makes room for text that a step is about to print, until [`Self::printed`]. Where the text
    /// leaves a line open, nothing is drawn before the line ends or [`Self::take_back`].
    pub fn make_room(&self, stream: Stream, text: &str) {
        if self.may_collide(stream) {
            self.screen.shown().make_room(text);
        }
    }

    /// Draws again, now that the text is out.
    pub fn printed(&self, stream: Stream) {
        if self.may_collide(stream) {
            self.screen.shown().printed();
        }
    }

    /// Leaves the terminal to a step that reads from it: nothing is drawn until
    /// [`Self::take_back`].
    pub fn lend(&self) {
        if self.draws() {
            self.screen.shown().lend();
        }
    }

    /// Takes the terminal back from a step that has ended.
    pub fn take_back(&self) {
        if self.draws() {
            self.screen.shown().take_back();
        }
    }

    fn may_collide(&self, stream: Stream) -> bool {
        self.draws() && (stream == Stream::Stderr || self.stdout_is_terminal)
    }

    /// Returns whether this draws. A copy in a forked process does not: the terminal is not its
    /// own, and its locks may be held by threads that it does not have.
    fn draws(&self) -> bool {
        self.live.is_some() && std::process::id() == self.pid
    }
}

/// Says something about a run that is about to begin, unless only failures are shown.
pub fn note(style: Style, text: &str) {
    if !style.quiet {
        // Nobody may be listening.
        let _ = writeln!(std::io::stderr(), "note: {}", terminal::escaped(text));
    }
}

impl Observer for Progress {
    fn on(&self, event: &RunEvent) {
        self.on_at(event, Instant::now());
    }
}

/// Returns when something happened, as far as this process's clock goes back.
fn moment(at: Timestamp) -> Instant {
    let ago = Duration::try_from_secs_f64(clock::now().seconds_since(at)).unwrap_or_default();
    Instant::now().checked_sub(ago).unwrap_or_else(Instant::now)
}
