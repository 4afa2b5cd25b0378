//! What the engine, and threads that wait for processes, say to the supervisor.

use std::sync::Arc;

use crossbeam_channel::Sender;
use nix::sys::eventfd::EventFd;
use partita_core::launcher::{Attempt, Job, Reports};

/// What the supervisor is asked.
pub(super) enum Request {
    Launch(Attempt, Arc<dyn Reports>),
    Cancel(Job),
    /// The process of an attempt, started by itself, has ended and waits to be reaped.
    Ended(u64),
    Close,
}

/// The engine's end of what the supervisor listens to.
#[derive(Clone)]
pub(super) struct Mailbox {
    pub(super) requests: Sender<Request>,
    pub(super) bell: Arc<EventFd>,
}

impl Mailbox {
    pub(super) fn launch(&self, attempt: Attempt, reports: Arc<dyn Reports>) {
        self.send(Request::Launch(attempt, reports));
    }

    pub(super) fn cancel(&self, job: Job) {
        self.send(Request::Cancel(job));
    }

    pub(super) fn close(&self) {
        self.send(Request::Close);
    }

    pub(super) fn send(&self, request: Request) {
        // Nobody listens once the run is over.
        let _ = self.requests.send(request);
        let _ = self.bell.write(1);
    }
}
