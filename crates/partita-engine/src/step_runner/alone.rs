//! Entrypoints that no engine counts for: whether their step may begin, which attempt it is, and
//! whether another one follows.

use bytes::Bytes;
use nix::sys::signal::Signal;
use partita_core::launcher::Unit;
use partita_core::run::{EndedBy, EventKind, Failure, RunEnd, Submission};
use partita_core::settings::FailureMode;
use partita_core::status::StepStatus;

use super::entry::{EntryError, StepEntry};
use super::{gather, record_lost, standing};
use crate::store::{Documents, LeftByStep, StoreError, layout};

/// How a claimed attempt ended.
#[derive(Debug)]
pub enum Closed {
    /// Its step is committed, by it or by another one.
    Committed,
    /// It failed, and says why; another one follows after so many seconds.
    Failed {
        /// The seconds.
        retry_in: Option<f64>,
    },
    /// Its process ended and left no record.
    Lost {
        /// What is recorded of it.
        failure: Failure,
        /// The seconds after which another one follows.
        retry_in: Option<f64>,
    },
    /// It was interrupted.
    Cancelled,
}

fn ended_with(exit_code: i32) -> String {
    match Signal::try_from(exit_code - 128) {
        Ok(signal) => format!("its process was ended by {signal}"),
        Err(_) => format!("its process ended with exit code {exit_code}, and left no record"),
    }
}

impl StepEntry {
    /// Returns how many items a mapped step has, of which none was chosen, once it may begin. Without
    /// items it is committed.
    ///
    /// # Errors
    /// If it may not begin, or its list cannot be read.
    pub fn items(&self) -> Result<Option<usize>, EntryError> {
        let Unit { step, item: None } = self.unit() else { return Ok(None) };
        if self.step().map_over.is_none() {
            return Ok(None);
        }
        let context = self.context();
        if context.committed(step)?.is_some() {
            return Ok(Some(0));
        }
        self.may_begin()?;
        let items = context.expand(step)?;
        let count = u32::try_from(items).unwrap_or(u32::MAX);
        context.note(EventKind::StepExpanded { step: self.step().name.clone(), items: count });
        if items == 0 {
            gather(context, step)?;
        }
        Ok(Some(items))
    }

    /// Returns what says that an orchestrator goes through the run by itself, if one does.
    pub(super) fn submission(&self) -> Result<Option<Submission>, StoreError> {
        let context = self.context();
        Documents::new(&*context.store).submission(&context.run_id)
    }

    /// Checks that the step may begin, as an engine would before it launches it.
    pub(super) fn may_begin(&self) -> Result<(), EntryError> {
        let context = self.context();
        let step = self.step();
        for (index, other) in context.deployment.steps.iter().enumerate() {
            if step.upstream_steps.contains(&other.name) && context.committed(index)?.is_none() {
                let (step, upstream) = (step.name.clone(), other.name.clone());
                return Err(EntryError::UpstreamOpen { step, upstream });
            }
        }
        match self.submission()? {
            Some(submission) if submission.ends != EndedBy::Driver => self.goes_on(&submission),
            _ => self.keeps_all_asked(),
        }
    }

    /// Checks that an orchestrator's run has neither ended nor stopped.
    fn goes_on(&self, submission: &Submission) -> Result<(), EntryError> {
        let context = self.context();
        let step = || self.step().name.clone();
        if let Some(end) = Documents::new(&*context.store).run_end(&context.run_id)? {
            let run = self.run_entry().header().name.clone();
            return Err(EntryError::RunEnded { step: step(), run, status: end.status });
        }
        if context.deployment.pipeline.failure_mode == FailureMode::ContinueOnFailure {
            return Ok(());
        }
        let failed = standing::of(context, submission)?.failed;
        match failed.first() {
            None => Ok(()),
            Some((failed, _)) => {
                let failed = context.deployment.steps[*failed].name.clone();
                Err(EntryError::RunStopped { step: step(), failed })
            }
        }
    }

    /// Checks that the step asks for nothing that only an engine keeps.
    fn keeps_all_asked(&self) -> Result<(), EntryError> {
        let config = &self.step().config;
        let asked = match (&config.timeout, config.limits.keys().next()) {
            // The engine keeps the time of an attempt that it believes to be its own.
            (Some(timeout), _) => format!("a timeout of {}", timeout.in_words()),
            (None, Some(limit)) => format!("the limit `{limit}`"),
            (None, None) => return Ok(()),
        };
        Err(EntryError::NeedsEngine { step: self.step().name.clone(), asked })
    }

    /// Takes the next attempt's number, unless the step is committed.
    ///
    /// # Errors
    /// If the step may not begin.
    pub fn claim(&self) -> Result<Option<u32>, EntryError> {
        if self.unit().item.is_none() && self.step().map_over.is_some() {
            return Err(EntryError::ItemNeeded(self.step().name.clone()));
        }
        if self.context().committed(self.unit())?.is_some() {
            self.gather_if_last()?;
            return Ok(None);
        }
        self.may_begin()?;
        self.take_number().map(Some)
    }

    /// Returns how a claimed attempt ended, whose process has ended with this exit code. What left no
    /// record has failed; `why` says how, where that is known.
    ///
    /// # Errors
    /// If its documents cannot be read.
    pub fn close(
        &self,
        number: u32,
        exit_code: i32,
        why: Option<String>,
    ) -> Result<Closed, EntryError> {
        let context = self.context();
        if context.committed(self.unit())?.is_some() {
            let documents = Documents::new(&*context.store);
            let result = documents.commit(&context.run_id, self.unit(), &self.step().name)?;
            if result.is_some_and(|result| result.status == StepStatus::Cached) {
                self.give_back(number)?;
            }
            self.gather_if_last()?;
            return Ok(Closed::Committed);
        }
        let documents = Documents::new(&*context.store);
        let left = documents.result(&context.run_id, self.unit(), &self.step().name, number)?;
        match left {
            Some(result) if result.status == StepStatus::Cancelled && why.is_none() => {
                return Ok(Closed::Cancelled);
            }
            Some(result) if result.status == StepStatus::Failed => {}
            _ => {
                let told = why.unwrap_or_else(|| ended_with(exit_code));
                let failure = Failure { exit_code: Some(exit_code), ..Failure::ours(told) };
                let began = context.began(self.unit(), number)?;
                record_lost(context, self.unit(), number, &failure, began);
                return Ok(Closed::Lost { failure, retry_in: self.retry_in(number)? });
            }
        }
        Ok(Closed::Failed { retry_in: self.retry_in(number)? })
    }

    /// Returns the seconds after which another attempt follows one that failed, if one does.
    pub(super) fn retry_in(&self, number: u32) -> Result<Option<f64>, StoreError> {
        let submission = self.submission()?;
        let before = submission.map_or(0, |submission| submission.attempts_before(self.unit()));
        Ok(self.step().config.retry.wait_after(number.saturating_sub(before)))
    }

    /// Takes the next attempt's number by making its log, which nobody else can make then.
    fn take_number(&self) -> Result<u32, EntryError> {
        let context = self.context();
        let store = &context.store;
        let mut number = self.left()?.attempts.last().copied().unwrap_or(0) + 1;
        let before = self.submission()?;
        if let Some(submission) = &before {
            number = number.max(submission.attempts_before(self.unit()) + 1);
        }
        let name = self.step().name.clone();
        let log = |number| layout::log(&context.run_id, self.unit(), &name, number);
        while !store.create(&log(number), Bytes::new())? {
            number += 1;
        }
        if before.is_some() {
            // Whoever ended the run meanwhile has not seen this attempt.
            if let Err(error) = self.may_begin() {
                self.give_back(number)?;
                return Err(error);
            }
        }
        Ok(number)
    }

    /// Takes back that an attempt was claimed, which nothing was done in.
    fn give_back(&self, number: u32) -> Result<(), StoreError> {
        let context = self.context();
        let path = layout::log(&context.run_id, self.unit(), &self.step().name, number);
        context.store.delete(&path)
    }

    /// Notes that an attempt begins, where no engine does.
    pub(super) fn begins(&self, number: u32) -> Result<(), StoreError> {
        if self.submission()?.is_some() {
            let (step, item) = (self.step().name.clone(), self.unit().item);
            self.context().note(EventKind::AttemptStarted { step, item, attempt: number });
        }
        Ok(())
    }

    /// Commits a mapped step with its last item, where no engine does.
    fn gather_if_last(&self) -> Result<(), EntryError> {
        let context = self.context();
        let Unit { step, item: Some(_) } = self.unit() else { return Ok(()) };
        if context.committed(step)?.is_some() {
            return Ok(());
        }
        let left = Documents::new(&*context.store).left_by_steps(&context.run_id)?.remove(&step);
        let items = left.unwrap_or_default().items;
        let committed = items.values().filter(|left| left.committed).count();
        if committed == context.expand(step)? {
            gather(context, step)?;
        }
        Ok(())
    }

    /// Ends the run if no engine does and nothing is left to do in it; returns how it ended if this
    /// ended it.
    ///
    /// # Errors
    /// If its documents cannot be read or written.
    pub fn end_if_last(&self) -> Result<Option<RunEnd>, EntryError> {
        match self.submission()? {
            Some(submission) if submission.ends == EndedBy::Entrypoint => {
                Ok(standing::end(self.context(), &submission)?)
            }
            _ => Ok(None),
        }
    }

    /// Notes that a hook of the pipeline raised an exception.
    pub fn note_failed_hook(&self, hook: String, error: String) {
        self.context().note(EventKind::HookFailed { step: None, item: None, hook, error });
    }

    fn left(&self) -> Result<LeftByStep, StoreError> {
        let context = self.context();
        let mut left = Documents::new(&*context.store).left_by_steps(&context.run_id)?;
        let mut left = left.remove(&self.unit().step).unwrap_or_default();
        Ok(match self.unit().item {
            None => left,
            Some(item) => left.items.remove(&item).unwrap_or_default(),
        })
    }
}
