//! What the driver asks of the records of a run, one question at a time.

use std::sync::Arc;

use partita_core::launcher::Unit;
use partita_core::status::StepStatus;

use super::super::observe::RunEvent;
use super::super::resolve::Resolution;
use super::Driver;
use crate::schedule::{Event, Resolved};

/// What to look up when there is nothing more urgent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Question {
    /// Whether a step or an item must run.
    Resolve(usize),
    /// What the items of a mapped step are.
    Expand(usize),
    /// What the items of a mapped step made.
    Gather(usize),
}

impl Driver<'_> {
    pub(super) fn ask(&mut self, question: Question) {
        let (Question::Resolve(step) | Question::Expand(step) | Question::Gather(step)) = question;
        // The run may have stopped since it was asked for.
        if self.scheduler.status(step).is_ended() {
            return;
        }
        match question {
            Question::Resolve(step) => self.resolve(step),
            Question::Expand(step) => self.expand(step),
            Question::Gather(step) => self.gather(step),
        }
    }

    fn resolve(&mut self, step: usize) {
        let unit = self.scheduler.unit(step);
        if self.flights.has_found(unit) {
            // It is being made; an earlier result would be one too many.
            self.events.push_back(Event::Resolved { step, answer: Resolved::Run });
            return;
        }
        let answer = match self.drive.resolver.resolve(unit) {
            Resolution::Cached(result) => {
                self.results.insert(step, result);
                Resolved::Cached
            }
            Resolution::Run { reason } => {
                self.reasons[step] = reason;
                Resolved::Run
            }
            Resolution::Failed(failure) => {
                self.failures.insert(step, Arc::new(failure));
                Resolved::Failed
            }
        };
        self.events.push_back(Event::Resolved { step, answer });
    }

    fn expand(&mut self, step: usize) {
        let items = match self.drive.resolver.expand(step) {
            Ok(items) => {
                let begun = &self.scheduler.plan().begun_items;
                let is_committed = |item: &u32| {
                    begun.get(&Unit::item(step, *item)).is_some_and(|begun| begun.committed)
                };
                let committed = match begun.is_empty() {
                    true => 0,
                    false => (0..items).filter(is_committed).count() as u32,
                };
                self.tell(&RunEvent::StepExpanded { step, items, committed });
                self.reasons.resize(self.reasons.len() + items as usize, None);
                Some(items)
            }
            Err(failure) => {
                self.failures.insert(step, Arc::new(failure));
                None
            }
        };
        self.events.push_back(Event::Expanded { step, items });
    }

    fn gather(&mut self, step: usize) {
        let status = match self.drive.resolver.gather(step) {
            Ok(result) => {
                let status = result.status;
                self.results.insert(step, result);
                status
            }
            Err(failure) => {
                self.failures.insert(step, Arc::new(failure));
                StepStatus::Failed
            }
        };
        self.events.push_back(Event::Gathered { step, status });
    }
}
