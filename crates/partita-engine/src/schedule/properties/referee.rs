//! Watches a scheduler, by rules of its own.

use std::collections::{BTreeMap, BTreeSet};

use partita_core::launcher::Unit;
use partita_core::settings::FailureMode;
use partita_core::status::{RunStatus, StepStatus};

use super::super::event::{Action, Because, Cause, Event, Outcome, Resolved, Timer};
use super::super::plan::{BegunItem, Plan, StepPlan};
use super::super::scheduler::Scheduler;

/// Knows only what it was asked to do and what it answered, and objects to whatever breaks a rule.
///
/// Items stand behind the steps in everything that is indexed by number.
pub(super) struct Referee {
    /// What each step waits for; an item waits for what its step does.
    upstream: Vec<Vec<usize>>,
    plan: Plan,
    units: Vec<Unit>,
    pub(super) resolving: BTreeSet<usize>,
    expanding: BTreeSet<usize>,
    /// The items of each mapped step that is expanded.
    pub(super) items: BTreeMap<usize, Vec<usize>>,
    gathering: BTreeSet<usize>,
    /// How gathering went, and expanding where it failed.
    gathered: BTreeMap<usize, StepStatus>,
    /// The attempts that run, and whether they were asked to end.
    pub(super) running: BTreeMap<usize, (u32, bool)>,
    timers: BTreeSet<(usize, u32, Timer)>,
    attempts: Vec<u32>,
    pub(super) ended: Vec<Option<StepStatus>>,
    failed: bool,
    cancelled: bool,
    pub(super) run: Option<RunStatus>,
}

impl Referee {
    pub(super) fn new(upstream: Vec<Vec<usize>>, plan: Plan) -> Self {
        let committed = |step: &StepPlan| step.committed.then_some(StepStatus::Completed);
        Self {
            units: (0..upstream.len()).map(Unit::from).collect(),
            resolving: BTreeSet::new(),
            expanding: BTreeSet::new(),
            items: BTreeMap::new(),
            gathering: BTreeSet::new(),
            gathered: BTreeMap::new(),
            running: BTreeMap::new(),
            timers: BTreeSet::new(),
            attempts: vec![0; upstream.len()],
            ended: plan.steps.iter().map(committed).collect(),
            failed: false,
            cancelled: false,
            run: None,
            upstream,
            plan,
        }
    }

    /// Returns whether nothing may be started any more.
    fn is_stopped(&self) -> bool {
        let stops = self.plan.failure_mode != FailureMode::ContinueOnFailure;
        self.run.is_some() || self.cancelled || (self.failed && stops)
    }

    /// Returns whether a step has failed, or is bound to since an item of it has.
    fn has_failed(&self, step: usize) -> bool {
        let is_failed = |number: usize| self.ended[number] == Some(StepStatus::Failed);
        let items = self.items.get(&step);
        is_failed(step) || items.is_some_and(|items| items.iter().any(|&item| is_failed(item)))
    }

    /// Returns the limits that a step keeps to, or an item like its step.
    pub(super) fn limits(&self, number: usize) -> u32 {
        self.plan.steps[self.units[number].step].limits
    }

    fn begun(&self, number: usize) -> BegunItem {
        let unit = self.units[number];
        let fresh = BegunItem { first_attempt: 1, committed: false };
        match unit.item {
            Some(_) => self.plan.begun_items.get(&unit).copied().unwrap_or(fresh),
            None => {
                let StepPlan { first_attempt, committed, .. } = self.plan.steps[number];
                BegunItem { first_attempt, committed }
            }
        }
    }

    fn rules(&self, number: usize) -> &StepPlan {
        &self.plan.steps[self.units[number].step]
    }

    /// Adds the items of a step.
    fn expand(&mut self, step: usize, count: u32) {
        let mut numbers = Vec::new();
        for item in 0..count {
            numbers.push(self.units.len());
            self.units.push(Unit::item(step, item));
            self.upstream.push(self.upstream[step].clone());
            self.attempts.push(0);
            let committed = self.begun(self.units.len() - 1).committed;
            self.ended.push(committed.then_some(StepStatus::Completed));
        }
        self.items.insert(step, numbers);
    }

    /// Returns whether a failure lies upstream, on a way that no commit blocks.
    fn has_failed_upstream(&self, step: usize) -> bool {
        self.upstream[step].iter().any(|&up| match self.ended[up] {
            _ if self.has_failed(up) => true,
            Some(status) if status.is_successful() => false,
            _ => self.has_failed_upstream(up),
        })
    }

    fn check_may_begin(&self, step: usize) {
        assert!(!self.is_stopped(), "step {step} begins in a stopped run");
        assert_eq!(self.ended[step], None, "step {step} begins after its end");
        for &up in &self.upstream[step] {
            let done = self.ended[up].is_some_and(StepStatus::is_successful);
            assert!(done, "step {step} begins before {up}");
        }
    }

    pub(super) fn see(&mut self, action: Action) {
        assert_eq!(self.run, None, "{action:?} after the end of the run");
        match action {
            Action::Resolve { step } => {
                self.check_may_begin(step);
                let is_mapped = self.rules(step).mapped && self.units[step].item.is_none();
                assert!(!is_mapped, "mapped step {step} is resolved");
                assert!(self.resolving.insert(step), "step {step} is resolved twice");
            }
            Action::Expand { step } => {
                self.check_may_begin(step);
                assert!(self.plan.steps[step].mapped && !self.items.contains_key(&step));
                assert!(self.expanding.insert(step), "step {step} is expanded twice");
            }
            Action::Gather { step } => {
                assert_eq!(self.ended[step], None, "step {step} is gathered after its end");
                let done = |&item: &usize| self.ended[item].is_some_and(StepStatus::is_successful);
                assert!(self.items[&step].iter().all(done), "step {step} is gathered too early");
                assert!(self.gathering.insert(step), "step {step} is gathered twice");
            }
            Action::Launch { step, attempt } => self.see_launch(step, attempt),
            Action::Cancel { step, attempt } => {
                let running = self.running.insert(step, (attempt, true));
                assert_eq!(running, Some((attempt, false)), "cancelled once, while it runs");
            }
            Action::SetTimer { step, attempt, timer, .. } => {
                assert!(self.timers.insert((step, attempt, timer)), "{action:?} twice");
            }
            Action::AttemptFailed { step, cause, retry_in, .. } => {
                assert!(!self.running.contains_key(&step));
                assert!(retry_in.is_none() || (!self.is_stopped() && cause != Cause::Lost));
            }
            Action::StepEnded { step, status, because } => self.see_end(step, status, because),
            Action::RunEnded { status } => self.run = Some(status),
        }
    }

    fn see_launch(&mut self, step: usize, attempt: u32) {
        self.check_may_begin(step);
        self.attempts[step] += 1;
        let retry = self.rules(step).retry;
        assert!(self.attempts[step] <= 1 + retry.max_retries, "too many attempts");
        let first_attempt = self.begun(step).first_attempt;
        assert_eq!(attempt, first_attempt + self.attempts[step] - 1, "numbers go up by one");
        assert!(!self.resolving.contains(&step), "step {step} is launched unresolved");
        assert_eq!(self.running.insert(step, (attempt, false)), None, "two attempts at once");
        self.check_slots();
    }

    fn check_slots(&self) {
        for (number, pool) in self.plan.pools.iter().enumerate() {
            let here = |step: &&usize| self.rules(**step).pool % self.plan.pools.len() == number;
            let running: Vec<_> = self.running.keys().filter(here).collect();
            assert!(running.len() <= pool.max_parallelism.get(), "too many at once");
            let held = running.iter().map(|&&step| self.rules(step).needs);
            let held = held.map(|needs| needs.at_most(&pool.supply).millicores).sum::<u64>();
            assert!(held <= pool.supply.millicores, "more cores are held than there are");
        }
    }

    fn see_end(&mut self, step: usize, status: StepStatus, because: Option<Because>) {
        assert_eq!(self.ended[step].replace(status), None, "step {step} ends twice");
        assert!(!self.running.contains_key(&step), "step {step} ends while it runs");
        self.resolving.remove(&step);
        self.expanding.remove(&step);
        assert!(!self.gathering.contains(&step), "step {step} ends while it is gathered");
        if let Some(items) = self.items.get(&step) {
            assert!(items.iter().all(|&item| self.ended[item].is_some()), "{step} has items left");
        }
        let is_mapped = self.units[step].item.is_none() && self.rules(step).mapped;
        match (status, because) {
            (StepStatus::Completed | StepStatus::Cached, None) if is_mapped => {
                assert_eq!(self.gathered[&step], status);
            }
            (StepStatus::Failed, None) if is_mapped => {
                let has_failed_item = self.items.contains_key(&step) && self.has_failed(step);
                assert!(has_failed_item || self.gathered[&step] == StepStatus::Failed);
                self.failed = true;
            }
            (StepStatus::Completed | StepStatus::Cached, None) => {}
            (StepStatus::Failed, None) => self.failed = true,
            (StepStatus::Failed, Some(Because::RunStopped { .. })) => {
                assert!(self.attempts[step] > 0);
            }
            (StepStatus::Skipped, Some(Because::UpstreamFailed { step: failed })) => {
                assert_eq!((self.has_failed(failed), self.attempts[step]), (true, 0));
                assert!(self.has_failed_upstream(step));
            }
            (StepStatus::Skipped, Some(Because::RunStopped { step: failed })) => {
                assert_eq!((self.has_failed(failed), self.attempts[step]), (true, 0));
                assert_ne!(self.plan.failure_mode, FailureMode::ContinueOnFailure);
            }
            (StepStatus::Cancelled, Some(Because::RunStopped { .. })) => {
                assert_eq!(self.plan.failure_mode, FailureMode::FailFast);
            }
            (StepStatus::Cancelled, Some(Because::RunCancelled)) => assert!(self.cancelled),
            other => panic!("step {step} ends as {other:?}"),
        }
    }

    /// Returns everything that could happen next.
    pub(super) fn moves(&self, answers: [Resolved; 3], outcomes: [Outcome; 6]) -> Vec<Event> {
        let mut moves = Vec::new();
        for &step in &self.resolving {
            moves.extend(answers.map(|answer| Event::Resolved { step, answer }));
        }
        for &step in &self.expanding {
            let sizes = [Some(2), Some(0), Some(3), Some(1)];
            moves.extend(sizes.map(|items| Event::Expanded { step, items }));
        }
        for &step in &self.gathering {
            let statuses = [StepStatus::Completed, StepStatus::Cached];
            moves.extend(statuses.map(|status| Event::Gathered { step, status }));
        }
        for (&step, &(attempt, _)) in &self.running {
            moves.extend(outcomes.map(|outcome| Event::Ended { step, attempt, outcome }));
        }
        let fired = |&(step, attempt, timer)| Event::TimerFired { step, attempt, timer };
        moves.extend(self.timers.iter().map(fired));
        moves
    }

    /// Takes note of an event before the scheduler handles it.
    pub(super) fn tell(&mut self, event: Event) {
        match event {
            Event::Resolved { step, .. } => {
                self.resolving.remove(&step);
            }
            Event::Expanded { step, items } => {
                if self.expanding.remove(&step) {
                    match items {
                        Some(count) => self.expand(step, count),
                        None => drop(self.gathered.insert(step, StepStatus::Failed)),
                    }
                }
            }
            Event::Gathered { step, status } => {
                if self.gathering.remove(&step) {
                    self.gathered.insert(step, status);
                }
            }
            Event::Ended { step, attempt, outcome } => {
                if self.running.get(&step).is_some_and(|(running, _)| *running == attempt) {
                    let unasked = self.running.remove(&step) == Some((attempt, false));
                    self.cancelled |= unasked && outcome == Outcome::Cancelled;
                }
            }
            Event::TimerFired { step, attempt, timer } => {
                let was_set = self.timers.remove(&(step, attempt, timer));
                if was_set
                    && timer == Timer::Grace
                    && self.running.get(&step) == Some(&(attempt, true))
                {
                    self.running.remove(&step);
                }
            }
            Event::HeldBack { step, attempt } | Event::PutOff { step, attempt } => {
                self.running.remove(&step);
                self.timers.remove(&(step, attempt, Timer::Timeout));
                self.attempts[step] -= 1;
            }
            Event::CancelRequested => self.cancelled |= self.run.is_none(),
            Event::Start | Event::LimitsFreed | Event::Asked { .. } => {}
        }
    }

    pub(super) fn check_end(&self, scheduler: &Scheduler) {
        let run = self.run.expect("the run has ended");
        assert_eq!(scheduler.ended(), Some(run));
        assert!(self.running.is_empty() && self.resolving.is_empty());
        assert!(self.expanding.is_empty() && self.gathering.is_empty());
        for (step, ended) in self.ended.iter().enumerate() {
            let status = ended.expect("every step has ended");
            assert_eq!(scheduler.status(step), status);
            assert!(!status.is_successful() || !self.must_not_have_run(step));
        }
        let count = |wanted| self.ended.iter().filter(|&&status| status == Some(wanted)).count();
        for status in [StepStatus::Completed, StepStatus::Failed, StepStatus::Skipped] {
            assert_eq!(scheduler.counts().of(status), count(status));
        }
        let successful = count(StepStatus::Completed) + count(StepStatus::Cached);
        let expected = match () {
            () if successful == self.ended.len() => RunStatus::Completed,
            () if self.cancelled => RunStatus::Cancelled,
            () => RunStatus::Failed,
        };
        assert_eq!(run, expected);
    }

    fn must_not_have_run(&self, step: usize) -> bool {
        !self.begun(step).committed && self.has_failed_upstream(step)
    }
}
