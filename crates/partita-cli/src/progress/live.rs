//! The thread that draws, ten times a second.
//!
//! Events only change the state, so that a thousand quick steps cost no more than the lines they
//! leave.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Screen;

/// The time between two drawings.
pub(super) const TICK: Duration = Duration::from_millis(100);

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
