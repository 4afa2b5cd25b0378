//! What the driver does with its launcher: launches, cancels and polls attempts.

use std::sync::Arc;

use partita_core::launcher::{Outcome as Reported, Unit};

use super::super::flights::{Cancel, Launch, Polled};
use super::super::limits::{Reached, Taken};
use super::super::observe::RunEvent;
use super::super::timers::Due;
use super::Driver;
use crate::schedule::{Event, Outcome, Timer};

impl Driver<'_> {
    pub(super) fn launch(&mut self, step: usize, attempt: u32) {
        self.not_begun = None;
        let unit = self.scheduler.unit(step);
        let is_last = self.scheduler.rules(step).wait_after(attempt).is_none();
        let reason = self.reasons[step].clone();
        match self.flights.takes(unit, attempt, is_last, reason.clone()) {
            Ok(true) => {}
            Ok(false) => {
                self.not_begun = Some((step, attempt));
                self.events.push_back(Event::PutOff { step, attempt });
                return;
            }
            // One that has failed may have started the step in a way of its own before: what that has
            // left tells how it ended.
            Err(_) if self.is_committed(step) || self.recorded(step, attempt).is_some() => {}
            Err(why) => {
                self.no_orchestrator.get_or_insert(why);
                let outcome = Outcome::NoOrchestrator;
                self.events.push_back(Event::Ended { step, attempt, outcome });
                return;
            }
        }
        let places = match self.drive.limits.take(unit.step) {
            Ok(Taken::Places(places)) => places,
            Ok(Taken::Reached(reached)) => {
                self.not_begun = Some((step, attempt));
                self.events.push_back(Event::HeldBack { step, attempt });
                return self.tell_held_back(unit, reached);
            }
            Err(failure) => {
                self.failures.insert(step, Arc::new(failure));
                let outcome = Outcome::Failed;
                self.events.push_back(Event::Ended { step, attempt, outcome });
                return;
            }
        };
        self.failures.remove(&step);
        self.tell(&RunEvent::StepStarted { step: unit.step, item: unit.item, attempt });
        let launch = self.flights.begin(step, unit, attempt, is_last, reason, places);
        self.launched(step, attempt, launch);
    }

    fn tell_held_back(&mut self, Unit { step, item }: Unit, reached: Reached) {
        if self.flights.is_empty() && self.told_limits.insert(reached.limit.clone()) {
            self.tell(&RunEvent::HeldBack { step, item, reached });
        }
    }

    pub(super) fn launched(&mut self, step: usize, attempt: u32, launch: Launch) {
        match launch {
            Launch::Done { timeout } => {
                if let Some(after) = timeout {
                    let timer = Timer::Timeout;
                    self.set_timer(after, Due::Timer { step, attempt, timer });
                }
                self.set_poll();
            }
            Launch::Again { after } => self.set_timer(after, Due::Launch { step, attempt }),
            Launch::Failed(failure) => self.reported(step, attempt, Reported::Failed(failure)),
            Launch::Stale => {}
        }
    }

    pub(super) fn cancel(&mut self, step: usize, attempt: u32) {
        match self.flights.cancel(step, attempt) {
            Cancel::Asked => {}
            Cancel::Again { after } => self.set_timer(after, Due::Cancel { step, attempt }),
            Cancel::Ended => self.reported(step, attempt, Reported::Cancelled),
        }
    }

    fn set_poll(&mut self) {
        if !self.polling
            && let Some(interval) = self.flights.poll_interval()
        {
            self.polling = true;
            self.set_timer(interval, Due::Poll);
        }
    }

    pub(super) fn poll(&mut self) {
        self.polling = false;
        for (step, attempt, polled) in self.flights.poll(self.clock.now()) {
            match polled {
                Polled::Ended(outcome) => self.reported(step, attempt, outcome),
                Polled::Lost(failure) => {
                    self.failures.insert(step, Arc::new(failure));
                    self.lost(step, attempt);
                }
            }
        }
        self.set_poll();
    }
}
