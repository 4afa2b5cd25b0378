//! The driver's sense of time, apart so that tests can pass hours in no time.

use std::time::{Duration, Instant};

use crossbeam_channel::Receiver;

use super::handover::Handover;
use super::inbox::Message;

/// Tells the time since some start and waits for messages.
pub(super) trait Clock: Send {
    /// Returns the time since the start; it never goes back.
    fn now(&self) -> Duration;

    /// Waits for a message, until the deadline if there is one.
    fn receive(&self, inbox: &Receiver<Message>, deadline: Option<Duration>) -> Option<Message>;
}

/// The machine's monotonic clock.
#[derive(Debug)]
pub(super) struct SystemClock {
    start: Instant,
    handover: Handover,
}

impl SystemClock {
    pub(super) fn start() -> Self {
        Self { start: Instant::now(), handover: Handover::default() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn receive(&self, inbox: &Receiver<Message>, deadline: Option<Duration>) -> Option<Message> {
        if let Some(message) = self.handover.look_for(|| inbox.try_recv().ok()) {
            return Some(message);
        }
        match deadline.and_then(|deadline| self.start.checked_add(deadline)) {
            Some(instant) => inbox.recv_deadline(instant).ok(),
            None => inbox.recv().ok(),
        }
    }
}
