//! Draws the running steps at the bottom of a terminal, ten times a second.
//!
//! Events only change the state; a thread of its own draws, so that a thousand quick steps cost no
//! more than the lines they leave.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Screen, write_lines};

/// The time between two drawings.
const TICK: Duration = Duration::from_millis(100);
/// Drawings a second that the terminal gets at most.
const HZ: u8 = 30;

/// The lines that are drawn, and those that are about to be left above them.
pub(super) struct Canvas {
    bars: MultiProgress,
    drawn: Vec<ProgressBar>,
    style: ProgressStyle,
    waiting: Vec<String>,
}

impl Canvas {
    pub(super) fn new() -> Self {
        let style = ProgressStyle::with_template("{wide_msg}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(HZ));
        Self { bars, drawn: Vec::new(), style, waiting: Vec::new() }
    }

    /// Adds lines that stay.
    pub(super) fn add(&mut self, lines: Vec<String>) {
        self.waiting.extend(lines);
    }

    /// Draws `lines` below what stays.
    pub(super) fn draw(&mut self, lines: &[String]) {
        if !self.waiting.is_empty() {
            let text = std::mem::take(&mut self.waiting).join("\n");
            // A terminal that is gone is no reason to end a run.
            let _ = self.bars.println(text);
        }
        while self.drawn.len() > lines.len() {
            if let Some(bar) = self.drawn.pop() {
                self.bars.remove(&bar);
            }
        }
        for (index, line) in lines.iter().enumerate() {
            if index == self.drawn.len() {
                let bar = ProgressBar::new(0).with_style(self.style.clone());
                self.drawn.push(self.bars.add(bar));
            }
            self.drawn[index].set_message(line.clone());
            self.drawn[index].tick();
        }
    }

    /// Takes what is drawn away and leaves the lines that stay.
    pub(super) fn clear(&mut self) {
        for bar in self.drawn.drain(..) {
            self.bars.remove(&bar);
        }
        let _ = self.bars.clear();
        write_lines(&std::mem::take(&mut self.waiting));
    }
}

/// The thread that draws.
pub(super) struct Live {
    stopped: Arc<(Mutex<bool>, Condvar)>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Live {
    /// Starts to draw. Without a thread to do it, lines still appear when the run ends.
    pub(super) fn start(screen: Arc<Screen>) -> Self {
        let stopped = Arc::new((Mutex::new(false), Condvar::new()));
        let told = Arc::clone(&stopped);
        let spawned = thread::Builder::new().name("partita-progress".to_owned()).spawn(move || {
            let (flag, bell) = &*told;
            let mut is_stopped = flag.lock().unwrap_or_else(PoisonError::into_inner);
            // The first drawing waits as well, so that a short run leaves lines and no flicker.
            while !*is_stopped {
                is_stopped =
                    bell.wait_timeout(is_stopped, TICK).unwrap_or_else(PoisonError::into_inner).0;
                if !*is_stopped {
                    screen.shown().draw();
                }
            }
        });
        Self { stopped, thread: Mutex::new(spawned.ok()) }
    }

    /// Ends the drawing.
    pub(super) fn stop(&self) {
        *self.stopped.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stopped.1.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.stop();
    }
}
