//! The loop: takes messages and timers, asks the scheduler, and does what it says.

mod launching;
mod questions;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use partita_core::deployment::Deployment;
use partita_core::launcher::{LaunchError, Outcome as Reported, StepLauncher, Unit};
use partita_core::run::{Failure, StepResult};
use partita_core::status::{RunStatus, StepStatus};

use super::clock::{Clock, SystemClock};
use super::failures::{self, FailedItems};
use super::flights::Flights;
use super::inbox::{self, CancelHandle, Message, Reporter};
use super::limits::Limits;
use super::observe::{Observer, RunEvent, RunOutcome};
use super::resolve::Resolver;
use super::timers::{Due, Timers};
use crate::schedule::{Action, Because, Cause, Event, Outcome, Plan, Scheduler, Timer};
use questions::Question;

/// What a driver runs, and with whom.
#[derive(Clone, Copy)]
pub struct Drive<'a> {
    /// The deployment that is executed.
    pub deployment: &'a Arc<Deployment>,
    /// The run.
    pub run_id: &'a Arc<str>,
    /// Starts the attempts.
    pub launcher: &'a dyn StepLauncher,
    /// Looks results up.
    pub resolver: &'a dyn Resolver,
    /// Says which steps may run beside those of other runs.
    pub limits: &'a dyn Limits,
    /// Follow the run; each is told of everything, one after another.
    pub observers: &'a [&'a dyn Observer],
}

/// Executes one run from its beginning to its end.
pub struct Driver<'a> {
    drive: Drive<'a>,
    scheduler: Scheduler,
    flights: Flights<'a>,
    timers: Timers,
    clock: Box<dyn Clock + 'a>,
    inbox: Receiver<Message>,
    reporter: Reporter,
    /// Events to handle before anything else, and the actions of the one being handled.
    events: VecDeque<Event>,
    actions: Vec<Action>,
    /// What is to be looked up when there is nothing more urgent.
    questions: VecDeque<Question>,
    /// Why each step and each item must run, from its look-up to its end.
    reasons: Vec<Option<Arc<str>>>,
    results: HashMap<usize, Arc<StepResult>>,
    /// The last failure of each step that is not at its end.
    failures: HashMap<usize, Arc<Failure>>,
    failed: Vec<(usize, Arc<Failure>)>,
    /// Why an orchestrator of the run cannot be opened, or has failed.
    no_orchestrator: Option<String>,
    /// The last attempt that was to be launched and was not; its timers are not set.
    not_begun: Option<(usize, u32)>,
    /// The limits that it was told of that the run waits for them.
    told_limits: HashSet<String>,
    /// The first failed item of each mapped step that is not at its end, and how many there are.
    failed_items: HashMap<usize, FailedItems>,
    polling: bool,
    cancel_seen: bool,
}

impl<'a> Driver<'a> {
    /// Returns the driver of a run that has not begun; the plan is one of the same deployment.
    pub fn new(plan: Plan, drive: Drive<'a>) -> Self {
        Self::with_clock(plan, drive, Box::new(SystemClock::start()))
    }

    pub(super) fn with_clock(plan: Plan, drive: Drive<'a>, clock: Box<dyn Clock + 'a>) -> Self {
        let (reporter, inbox) = inbox::open();
        let reports = Arc::new(reporter.clone());
        let run_id = Arc::clone(drive.run_id);
        Self {
            reasons: vec![None; plan.graph.len()],
            scheduler: Scheduler::new(plan),
            flights: Flights::new(drive.deployment, run_id, drive.launcher, reports),
            drive,
            timers: Timers::default(),
            clock,
            inbox,
            reporter,
            events: VecDeque::new(),
            actions: Vec::new(),
            questions: VecDeque::new(),
            results: HashMap::new(),
            failures: HashMap::new(),
            failed: Vec::new(),
            no_orchestrator: None,
            not_begun: None,
            told_limits: HashSet::new(),
            failed_items: HashMap::new(),
            polling: false,
            cancel_seen: false,
        }
    }

    /// Returns what cancels this run, before it begins or while it goes on.
    pub fn cancel_handle(&self) -> CancelHandle {
        self.reporter.cancel_handle()
    }

    /// Goes on with those attempts of an earlier engine that still run, instead of making new ones.
    /// `begun` are the attempts whose end nobody has recorded, by step and item.
    ///
    /// # Errors
    /// If it cannot be found out now whether they run.
    pub fn take_over(&mut self, begun: &HashMap<Unit, u32>) -> Result<(), LaunchError> {
        for (unit, number) in self.flights.find(begun)? {
            self.scheduler.begin_with(unit, number);
        }
        Ok(())
    }

    /// Executes the run; returns when it is over.
    pub fn run(mut self) -> RunOutcome {
        self.drive.limits.listen(self.reporter.limits_handle());
        self.events.push_back(Event::Start);
        loop {
            while let Some(event) = self.events.pop_front() {
                self.handle(event);
            }
            if let Some(status) = self.scheduler.ended() {
                return self.outcome(status);
            }
            self.take_next();
        }
    }

    fn handle(&mut self, event: Event) {
        let mut actions = std::mem::take(&mut self.actions);
        self.scheduler.handle(event, &mut actions);
        for action in actions.drain(..) {
            self.act(action);
        }
        self.actions = actions;
    }

    /// Takes what is most urgent: a message, a timer, a look-up; else waits.
    fn take_next(&mut self) {
        if let Ok(message) = self.inbox.try_recv() {
            self.take_message(message);
        } else if let Some(due) = self.timers.take_due(|| self.clock.now()) {
            self.take_due(due);
        } else if let Some(question) = self.questions.pop_front() {
            self.ask(question);
        } else if let Some(message) = self.clock.receive(&self.inbox, self.timers.next()) {
            self.take_message(message);
        }
    }

    fn take_message(&mut self, message: Message) {
        match message {
            Message::Asked { step } => self.events.push_back(Event::Asked { step }),
            Message::LimitsFreed => self.events.push_back(Event::LimitsFreed),
            Message::Ended { unit, number, outcome } => {
                if let Some(step) = self.scheduler.number(unit) {
                    self.reported(step, number, outcome);
                }
            }
            Message::Cancel => {
                if std::mem::replace(&mut self.cancel_seen, true) {
                    self.flights.cancel_again();
                } else {
                    self.tell(&RunEvent::CancelRequested);
                    self.events.push_back(Event::CancelRequested);
                }
            }
        }
    }

    fn take_due(&mut self, due: Due) {
        match due {
            Due::Timer { step, attempt, timer } => self.timer_fired(step, attempt, timer),
            Due::Launch { step, attempt } => {
                let launch = self.flights.launch(step, attempt);
                self.launched(step, attempt, launch);
            }
            Due::Cancel { step, attempt } => self.cancel(step, attempt),
            Due::Poll => self.poll(),
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Resolve { step } => self.questions.push_back(Question::Resolve(step)),
            Action::Expand { step } => self.questions.push_back(Question::Expand(step)),
            Action::Gather { step } => self.questions.push_back(Question::Gather(step)),
            Action::Launch { step, attempt } => self.launch(step, attempt),
            Action::Cancel { step, attempt } => self.cancel(step, attempt),
            Action::SetTimer { step, attempt, timer, after } => {
                let waits = timer == Timer::Timeout
                    && (self.not_begun == Some((step, attempt))
                        || self.flights.keep_timeout(step, attempt, after));
                if !waits {
                    self.set_timer(after, Due::Timer { step, attempt, timer });
                }
            }
            Action::AttemptFailed { step, attempt, cause, retry_in } => {
                let failure = self.failure(step, cause);
                let retry_in = retry_in.map(|wait| wait.as_secs_f64());
                let Unit { step, item } = self.scheduler.unit(step);
                self.tell(&RunEvent::AttemptFailed { step, item, attempt, failure, retry_in });
            }
            Action::StepEnded { step, status, because } => self.step_ended(step, status, because),
            Action::RunEnded { status } => {
                let error = self.error();
                self.tell(&RunEvent::RunEnded { status, error });
            }
        }
    }

    fn tell(&self, event: &RunEvent) {
        for observer in self.drive.observers {
            observer.on(event);
        }
    }

    fn set_timer(&mut self, after: Duration, due: Due) {
        self.timers.set(self.clock.now().saturating_add(after), due);
    }

    fn timer_fired(&mut self, step: usize, attempt: u32, timer: Timer) {
        match timer {
            Timer::Grace if !self.is_committed(step) && self.flights.force(step, attempt) => {
                self.set_timer(failures::LAST_GRACE, Due::Timer { step, attempt, timer });
            }
            Timer::Grace => self.lost(step, attempt),
            Timer::Timeout | Timer::Retry => {
                self.events.push_back(Event::TimerFired { step, attempt, timer });
            }
        }
    }

    /// Takes a report; it counts only while the attempt is in flight.
    fn reported(&mut self, step: usize, attempt: u32, reported: Reported) {
        let Some(was_cancelled) = self.flights.end(step, attempt) else { return };
        let interrupted = matches!(reported, Reported::Cancelled) && !was_cancelled;
        let outcome = self.judge(step, attempt, reported);
        self.events.push_back(Event::Ended { step, attempt, outcome });
        if interrupted {
            // A commit just before the interrupt saves the step, not the run.
            self.events.push_back(Event::CancelRequested);
        }
    }

    /// Gives an attempt up of which nothing more can be learned.
    fn lost(&mut self, step: usize, attempt: u32) {
        if self.flights.end(step, attempt).is_some() {
            let outcome = if self.is_committed(step) { Outcome::Completed } else { Outcome::Lost };
            self.events.push_back(Event::Ended { step, attempt, outcome });
        }
    }

    /// Decides what a report means: whatever it says, a step is done once it is committed, and an
    /// attempt that wrote its own record knows more of its failure than who watched it.
    fn judge(&mut self, step: usize, attempt: u32, reported: Reported) -> Outcome {
        if let Reported::Completed(Some(result)) = reported {
            self.results.insert(step, result);
            return Outcome::Completed;
        }
        if self.is_committed(step) {
            return Outcome::Completed;
        }
        let (failure, outcome) = match reported {
            Reported::Cancelled => return Outcome::Cancelled,
            Reported::Failed(failure) => (self.told(step, attempt, failure), Outcome::Failed),
            Reported::GaveUp(failure) => (self.told(step, attempt, failure), Outcome::Lost),
            Reported::Completed(_) => {
                (failures::not_committed(self.drive.deployment), Outcome::Failed)
            }
        };
        self.failures.insert(step, Arc::new(failure));
        outcome
    }

    /// Returns why an attempt failed: what its record says, or else what was reported.
    fn told(&self, step: usize, attempt: u32, reported: Failure) -> Failure {
        let record = self.recorded(step, attempt);
        record.and_then(|record| record.error).unwrap_or(reported)
    }

    fn recorded(&self, step: usize, attempt: u32) -> Option<StepResult> {
        self.drive.resolver.recorded(self.scheduler.unit(step), attempt)
    }

    fn is_committed(&mut self, step: usize) -> bool {
        let result = self.drive.resolver.committed(self.scheduler.unit(step));
        result.map(|result| self.results.insert(step, result)).is_some()
    }

    /// Returns the failure of an attempt and keeps it in case it is the step's last.
    fn failure(&mut self, step: usize, cause: Cause) -> Arc<Failure> {
        let grace = self.scheduler.grace(step);
        let timeout = self.scheduler.rules(step).timeout.unwrap_or_default();
        let failure = match (cause, self.failures.get(&step)) {
            (Cause::Reported | Cause::Lost, Some(failure)) => return Arc::clone(failure),
            (Cause::Lost, None) => failures::never_confirmed(timeout, grace),
            (Cause::TimedOut, _) => failures::timed_out(timeout),
            (Cause::Reported, None) => failures::not_committed(self.drive.deployment),
        };
        let failure = Arc::new(failure);
        self.failures.insert(step, Arc::clone(&failure));
        failure
    }

    fn step_ended(&mut self, number: usize, status: StepStatus, because: Option<Because>) {
        self.reasons[number] = None;
        let result = self.results.remove(&number);
        let failed_items = self.failed_items.remove(&number);
        let failure = self.failures.remove(&number);
        let failure = failure.or_else(|| Some(Arc::new(failed_items?.failure())));
        let failure = failure.filter(|_| status == StepStatus::Failed);
        let Unit { step, item } = self.scheduler.unit(number);
        match (&failure, item) {
            (Some(failure), Some(item)) => {
                let first = || FailedItems { first: item, failure: Arc::clone(failure), count: 0 };
                self.failed_items.entry(step).or_insert_with(first).count += 1;
            }
            (Some(failure), None) => self.failed.push((step, Arc::clone(failure))),
            (None, _) => {}
        }
        let because = because.map(|because| because.reason(self.drive.deployment).into());
        self.tell(&RunEvent::StepEnded { step, item, status, result, failure, because });
    }

    /// Returns what went wrong in the run, in one paragraph.
    fn error(&self) -> Option<String> {
        let of_steps = || failures::summary(self.drive.deployment, &self.failed);
        self.no_orchestrator.clone().or_else(of_steps)
    }

    fn outcome(self, status: RunStatus) -> RunOutcome {
        RunOutcome {
            status,
            error: self.error(),
            counts: self.scheduler.counts(),
            failed: self.failed,
        }
    }
}
