//! The driver's sense of time, apart so that tests can pass hours in no time.

use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::inbox::Message;

/// How long the driver looks for a message before it sleeps. Small steps end within moments, and to
/// sleep and to be woken would take longer than that.
const PATIENCE: Duration = Duration::from_micros(100);

/// Tells the time since some start and waits for messages.
pub(super) trait Clock: Send {
    /// Returns the time since the start; it never goes back.
    fn now(&self) -> Duration;

    /// Waits for a message, until the deadline if there is one.
    fn receive(&self, inbox: &Receiver<Message>, deadline: Option<Duration>) -> Option<Message>;
}

/// The machine's monotonic clock.
#[derive(Debug)]
pub(super) struct SystemClock(Instant);

impl SystemClock {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn receive(&self, inbox: &Receiver<Message>, deadline: Option<Duration>) -> Option<Message> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Ok(message) = inbox.try_recv() {
                return Some(message);
            }
            std::thread::yield_now();
        }
        match deadline.and_then(|deadline| self.0.checked_add(deadline)) {
            Some(instant) => inbox.recv_deadline(instant).ok(),
            None => inbox.recv().ok(),
        }
    }
}
