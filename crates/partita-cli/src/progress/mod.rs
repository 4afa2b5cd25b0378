//! Shows a run while it goes on: drawn live on a terminal, one plain line an event elsewhere.
//!
//! What is said is decided in `words`; `live` draws, and nothing else writes to the terminal.
//! Everything goes to standard error.

mod live;
mod state;
mod words;

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use partita_core::deployment::Deployment;
use partita_engine::drive::{Observer, RunEvent};

use crate::terminal;
use live::Live;
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

/// The display of one run. It may be shared between threads.
pub struct Progress {
    screen: Arc<Screen>,
    live: Option<Live>,
    pid: u32,
}

/// What the driver's thread, the drawing thread and printing steps share.
struct Screen {
    shown: Mutex<Shown>,
}

/// The state of the run and of what is drawn of it.
struct Shown {
    state: State,
    style: Style,
    colour: bool,
    canvas: Option<live::Canvas>,
    is_paused: bool,
    line_is_open: bool,
}

impl Screen {
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    /// Returns the display of a run that is about to begin.
    pub fn new(deployment: Arc<Deployment>, run_name: &str, style: Style) -> Self {
        let is_live = terminal::stderr_is_live() && !style.quiet;
        let screen = Arc::new(Screen {
            shown: Mutex::new(Shown {
                state: State::new(deployment, run_name),
                style,
                colour: terminal::stderr_has_colour(),
                canvas: is_live.then(live::Canvas::new),
                is_paused: false,
                line_is_open: false,
            }),
        });
        let live = is_live.then(|| Live::start(Arc::clone(&screen)));
        Self { screen, live, pid: std::process::id() }
    }

    /// Makes room for text that someone else is about to print; nothing is drawn until
    /// [`Self::resume`]. Cheap when repeated, and does nothing where nothing is drawn.
    pub fn pause(&self) {
        if self.live.is_none() || self.is_forked() {
            return;
        }
        let mut shown = self.screen.shown();
        if !shown.is_paused {
            shown.is_paused = true;
            if let Some(canvas) = &mut shown.canvas {
                canvas.clear();
            }
        }
    }

    /// Makes room like [`Self::pause`] and notes whether `text`, which goes to the terminal, leaves
    /// a line open, so that what is drawn next begins on a line of its own.
    pub fn printed(&self, text: &str) {
        self.pause();
        if self.live.is_some() && !self.is_forked() && !text.is_empty() {
            self.screen.shown().line_is_open = !text.ends_with('\n');
        }
    }

    /// Draws again, soon.
    pub fn resume(&self) {
        if self.live.is_some() && !self.is_forked() {
            self.screen.shown().go_on();
        }
    }

    /// Returns whether this is a copy in a forked process, whose terminal is not its own and whose
    /// locks may be held by threads that it does not have.
    fn is_forked(&self) -> bool {
        std::process::id() != self.pid
    }
}

impl Observer for Progress {
    fn on(&self, event: &RunEvent) {
        let mut shown = self.screen.shown();
        let style = shown.style;
        let look = words::LiveLook { is_drawn: shown.canvas.is_some(), colour: shown.colour };
        shown.state.note(event);
        let lines = words::lines(&shown.state, event, style, look);
        shown.put(lines, matches!(event, RunEvent::RunEnded { .. }));
        drop(shown);
        if let (RunEvent::RunEnded { .. }, Some(live)) = (event, &self.live) {
            live.stop();
        }
    }
}

impl Shown {
    /// Shows finished lines, now or with the next drawing; the last ones take the canvas away.
    fn put(&mut self, lines: Vec<String>, is_last: bool) {
        if is_last {
            self.go_on();
        }
        let Some(canvas) = &mut self.canvas else {
            write_lines(&lines);
            return;
        };
        canvas.add(lines);
        if is_last {
            canvas.clear();
            self.canvas = None;
        }
    }

    fn go_on(&mut self) {
        self.is_paused = false;
        if std::mem::take(&mut self.line_is_open) {
            write_lines(&[String::new()]);
        }
    }

    /// Draws what is to be seen now.
    fn draw(&mut self) {
        if self.is_paused {
            return;
        }
        if let Some(canvas) = &mut self.canvas {
            canvas.draw(&words::live_lines(&self.state, terminal::stderr_width(), self.colour));
        }
    }
}

/// Writes lines in one piece; a terminal that is gone is no reason to end a run.
fn write_lines(lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let mut text = lines.join("\n");
    text.push('\n');
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
