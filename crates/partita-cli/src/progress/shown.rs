//! Who may write to the terminal now: the display, or the step that prints or reads.

use std::time::{Duration, Instant};

use partita_core::launcher::Unit;
use partita_engine::drive::RunEvent;

use super::Style;
use super::canvas::Canvas;
use super::live::TICK;
use super::state::State;
use super::words::{self, LiveLook};
use crate::terminal::Size;

/// The time between two drawings that follow a print, so that a step which prints without end is
/// not slowed down by them.
pub(super) const AFTER_PRINT: Duration = Duration::from_millis(16);

/// The state of the run and of what is drawn of it.
pub(super) struct Shown {
    pub(super) state: State,
    pub(super) style: Style,
    pub(super) colour: bool,
    /// Whether running steps are drawn below the finished lines.
    pub(super) is_live: bool,
    pub(super) size: fn() -> Size,
    /// Whether an attempt at a step or an item printed anything.
    pub(super) has_log: Box<dyn Fn(Unit, u32) -> bool + Send>,
    pub(super) canvas: Canvas,
    /// Finished lines that come with the next drawing.
    waiting: Vec<String>,
    pub(super) drawn_at: Option<Instant>,
    /// Texts that steps are writing at this moment.
    printing: usize,
    /// Whether the last text of a step left a line open, which the author may go on with.
    line_is_open: bool,
    /// Whether a step reads from the terminal.
    is_lent: bool,
}

impl Shown {
    pub(super) fn new(state: State, style: Style, canvas: Canvas) -> Self {
        Self {
            state,
            style,
            colour: false,
            is_live: false,
            size: crate::terminal::stderr_size,
            has_log: Box::new(|_, _| false),
            canvas,
            waiting: Vec::new(),
            drawn_at: None,
            printing: 0,
            line_is_open: false,
            is_lent: false,
        }
    }

    /// Shows what an event leaves, now or with the next drawing; the run's end takes away what is
    /// drawn.
    pub(super) fn on(&mut self, event: &RunEvent, at: Instant) {
        self.state.note(event, at);
        let look = LiveLook { is_drawn: self.is_live, colour: self.colour };
        self.waiting.extend(words::lines(&self.state, event, self.style, look));
        if let RunEvent::RunEnded { status, error } = event {
            self.waiting.extend(words::after(
                &self.state,
                *status,
                error.as_deref(),
                &self.has_log,
            ));
            self.take_back();
            // The terminal may have echoed `^C` where nothing was drawn.
            let lines = std::mem::take(&mut self.waiting);
            if self.is_live {
                self.canvas.draw(&lines, &[])
            } else {
                self.canvas.keep(&lines)
            }
            self.is_live = false;
        } else if !self.is_live {
            self.canvas.keep(&std::mem::take(&mut self.waiting));
        }
    }

    /// Makes room for text that a step is about to print.
    pub(super) fn make_room(&mut self, text: &str) {
        self.step_aside();
        self.printing += 1;
        if !text.is_empty() {
            self.line_is_open = !text.ends_with('\n');
        }
    }

    /// Draws again, now that the text is out.
    pub(super) fn printed(&mut self) {
        self.printing = self.printing.saturating_sub(1);
        let is_due = self.drawn_at.is_some_and(|at| at.elapsed() >= AFTER_PRINT);
        if is_due || self.state.started.elapsed() >= TICK && self.drawn_at.is_none() {
            self.draw();
        }
    }

    /// Leaves the terminal to a step that reads from it.
    pub(super) fn lend(&mut self) {
        self.step_aside();
        self.is_lent = true;
    }

    /// Takes the terminal back from a step that has ended.
    pub(super) fn take_back(&mut self) {
        self.printing = 0;
        self.is_lent = false;
        if std::mem::take(&mut self.line_is_open) {
            self.canvas.keep(&[String::new()]);
        }
    }

    /// Draws what is to be seen now, unless the last line on the terminal is a step's own.
    pub(super) fn draw(&mut self) {
        if !self.is_live || self.printing > 0 || self.line_is_open || self.is_lent {
            return;
        }
        let lines = words::live_lines(&self.state, (self.size)(), self.colour);
        self.canvas.draw(&std::mem::take(&mut self.waiting), &lines);
        self.drawn_at = Some(Instant::now());
    }

    fn step_aside(&mut self) {
        if self.is_live && !self.line_is_open && !self.is_lent {
            self.canvas.clear(&std::mem::take(&mut self.waiting));
        }
    }
}
