//! The driver's one channel: ends of attempts and requests to cancel.

use crossbeam_channel::{Receiver, Sender, unbounded};
use partita_core::launcher::{Outcome, Reports, Unit};

/// What others tell the driver.
#[derive(Debug)]
pub(super) enum Message {
    /// An attempt is over.
    Ended {
        /// The step or the item.
        unit: Unit,
        /// The attempt's number.
        number: u32,
        /// How it went.
        outcome: Outcome,
    },
    /// An attempt that was put off is taken now: one at this step, or every one.
    Asked {
        /// The step, or all.
        step: Option<usize>,
    },
    /// Limits that were reached may have room again.
    LimitsFreed,
    /// Someone wants the run to stop.
    Cancel,
}

/// Returns both ends of a driver's channel.
pub(super) fn open() -> (Reporter, Receiver<Message>) {
    let (sender, inbox) = unbounded();
    (Reporter(sender), inbox)
}

/// The end that launchers get.
#[derive(Debug, Clone)]
pub(super) struct Reporter(Sender<Message>);

impl Reporter {
    pub(super) fn limits_handle(&self) -> LimitsHandle {
        LimitsHandle(self.0.clone())
    }

    pub(super) fn cancel_handle(&self) -> CancelHandle {
        CancelHandle(self.0.clone())
    }
}

impl Reports for Reporter {
    fn ended(&self, unit: Unit, number: u32, outcome: Outcome) {
        // A run that is over takes no reports, and late ones are to be ignored.
        let _ = self.0.send(Message::Ended { unit, number, outcome });
    }

    fn asked(&self, step: Option<usize>) {
        let _ = self.0.send(Message::Asked { step });
    }
}

/// Tells a run that limits which were reached may have room again.
#[derive(Debug, Clone)]
pub struct LimitsHandle(Sender<Message>);

impl LimitsHandle {
    /// Has the steps that wait for limits try again.
    pub fn freed(&self) {
        let _ = self.0.send(Message::LimitsFreed);
    }
}

/// Cancels a run from anywhere: another thread, or whatever listens for signals.
#[derive(Debug, Clone)]
pub struct CancelHandle(Sender<Message>);

impl CancelHandle {
    /// Asks the run to stop: running attempts are cancelled and nothing more is started. Asked once
    /// more, those that have not ended are to end at once. Does nothing if the run is over.
    pub fn cancel(&self) {
        let _ = self.0.send(Message::Cancel);
    }
}
