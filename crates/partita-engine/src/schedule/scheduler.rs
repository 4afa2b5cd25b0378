//! The scheduler: the one place that decides what a run does next.

use std::time::Duration;

use partita_core::launcher::Unit;
use partita_core::settings::FailureMode;
use partita_core::status::{RunStatus, StepStatus};

use super::event::{Action, Because, Cause, Event, Outcome, Resolved, Timer};
use super::items::Items;
use super::plan::{BegunItem, Plan, Pool, StepPlan};
use super::slots::Slots;
use super::state::{Counts, Phase, StepState, Stop};

/// Turns events into actions.
///
/// A step that is ready is looked up in the cache at once; only if it must run does it wait for a
/// slot. Of the steps that wait for one, the first in topological order that fits gets it. A mapped
/// step that is ready is expanded instead, and then its items fare like steps.
#[derive(Debug, Clone)]
pub struct Scheduler {
    pub(super) plan: Plan,
    /// The truth, for steps and then for items; everything below follows from it.
    pub(super) steps: Vec<StepState>,
    pub(super) items: Items,
    pub(super) phase: Phase,
    pub(super) counts: Counts,
    /// Exactly the steps that are `Ready` wait for one, or to be asked for, and those `Running` or `Stopping` have one.
    slots: Slots,
}

impl Scheduler {
    /// Returns the scheduler of a run that has not begun.
    pub fn new(mut plan: Plan) -> Self {
        plan.steps.resize(plan.graph.len(), StepPlan::default());
        let mut steps: Vec<_> = (0..plan.graph.len())
            .map(|step| StepState::Waiting { upstream: plan.graph.upstream_count(step) })
            .collect();
        for (step, rules) in plan.steps.iter_mut().enumerate() {
            rules.first_attempt = rules.first_attempt.max(1);
            if rules.committed {
                steps[step] = StepState::Ended(StepStatus::Completed);
                for &next in plan.graph.downstream(step) {
                    if let StepState::Waiting { upstream } = &mut steps[next as usize] {
                        *upstream -= 1;
                    }
                }
            }
        }
        let mut counts = Counts::default();
        for (state, rules) in steps.iter().zip(&plan.steps) {
            counts.add(state.status(rules.first_attempt));
        }
        let slots = Slots::of(&plan);
        let items = Items::of(steps.len());
        Self { plan, steps, items, phase: Phase::Idle, counts, slots }
    }

    /// Has a step or an item begin with this attempt, in a run that has not begun.
    pub fn begin_with(&mut self, unit: Unit, attempt: u32) {
        match unit.item {
            None => self.plan.steps[unit.step].first_attempt = attempt,
            Some(_) => {
                let fresh = BegunItem { first_attempt: attempt, committed: false };
                self.plan.begun_items.entry(unit).or_insert(fresh).first_attempt = attempt;
            }
        }
    }

    /// Takes an event and adds the actions that follow from it, in the order to do them.
    pub fn handle(&mut self, event: Event, actions: &mut Vec<Action>) {
        if self.ended().is_some() {
            return;
        }
        match event {
            Event::Start => self.start(actions),
            Event::Resolved { step, answer } => self.resolved(step, answer, actions),
            Event::Expanded { step, items } => self.expanded(step, items, actions),
            Event::Gathered { step, status } => self.gathered(step, status, actions),
            Event::Ended { step, attempt, outcome } => {
                self.attempt_ended(step, attempt, outcome, actions);
            }
            Event::TimerFired { step, attempt, timer } => {
                self.timer_fired(step, attempt, timer, actions);
            }
            Event::HeldBack { step, attempt } => {
                self.held_back(step, attempt, actions);
            }
            Event::PutOff { step, attempt } => {
                self.put_off(step, attempt, actions);
            }
            Event::Asked { step } => self.slots.ask(step),
            Event::LimitsFreed => self.slots.unblock(),
            Event::CancelRequested => self.stop(Because::RunCancelled, actions),
        }
        self.launch_ready(actions);
        self.end_if_done(actions);
    }

    /// Returns how the run ended, once it has.
    pub fn ended(&self) -> Option<RunStatus> {
        match self.phase {
            Phase::Ended(status) => Some(status),
            Phase::Idle | Phase::Running | Phase::Stopping(_) => None,
        }
    }

    /// Returns where a step or an item stands.
    pub fn status(&self, number: usize) -> StepStatus {
        self.steps[number].status(self.first_attempt(number))
    }

    /// Returns what a number stands for.
    pub fn unit(&self, number: usize) -> Unit {
        self.items.unit(number)
    }

    /// Returns the number of a step, or of an item that is there.
    pub fn number(&self, unit: Unit) -> Option<usize> {
        self.items.number(unit)
    }

    /// Returns the rules of a step or an item.
    pub fn rules(&self, number: usize) -> StepPlan {
        let step = self.plan.steps[self.unit(number).step];
        StepPlan { first_attempt: self.first_attempt(number), ..step }
    }

    /// Returns how many steps and items have which status.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns what the run was begun with.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    #[cfg(test)]
    pub(super) fn states(&self) -> &[StepState] {
        &self.steps
    }

    fn first_attempt(&self, number: usize) -> u32 {
        self.items.first_attempt(number).unwrap_or_else(|| self.plan.steps[number].first_attempt)
    }

    fn start(&mut self, actions: &mut Vec<Action>) {
        if self.phase != Phase::Idle {
            return;
        }
        self.phase = Phase::Running;
        for step in 0..self.steps.len() {
            if self.steps[step] == (StepState::Waiting { upstream: 0 }) {
                self.resolve(step, actions);
            }
        }
    }

    /// Asks about a step or an item that may begin.
    pub(super) fn resolve(&mut self, step: usize, actions: &mut Vec<Action>) {
        self.set(step, StepState::Resolving);
        let is_mapped = self.plan.steps.get(step).is_some_and(|rules| rules.mapped);
        actions.push(match is_mapped {
            true => Action::Expand { step },
            false => Action::Resolve { step },
        });
    }

    fn resolved(&mut self, step: usize, answer: Resolved, actions: &mut Vec<Action>) {
        let is_mapped = self.plan.steps.get(step).is_some_and(|rules| rules.mapped);
        if is_mapped || self.steps.get(step) != Some(&StepState::Resolving) {
            return;
        }
        match answer {
            Resolved::Cached => self.succeed(step, StepStatus::Cached, actions),
            Resolved::Run => self.queue(step, self.first_attempt(step)),
            Resolved::Failed => self.fail(step, actions),
        }
    }

    fn attempt_ended(
        &mut self,
        step: usize,
        number: u32,
        outcome: Outcome,
        actions: &mut Vec<Action>,
    ) {
        let stop = match self.steps.get(step) {
            Some(&StepState::Running { attempt }) if attempt == number => None,
            Some(&StepState::Stopping { attempt, why }) if attempt == number => Some(why),
            _ => return,
        };
        self.slots.give_back(self.unit(step).step);
        match (outcome, stop) {
            // A commit counts, however late.
            (Outcome::Completed, _) => self.succeed(step, StepStatus::Completed, actions),
            (Outcome::NoOrchestrator, _) => {
                let because = Because::NoOrchestrator;
                let has_failed = number > self.first_attempt(step);
                let status = if has_failed { StepStatus::Failed } else { StepStatus::Skipped };
                self.end(step, status, Some(because), actions);
                self.stop(because, actions);
            }
            // What a cancelled attempt says of its end is the echo of the cancellation.
            (_, Some(Stop::Run)) => self.cancelled(step, actions),
            (Outcome::Lost, _) => self.attempt_failed(step, number, Cause::Lost, actions),
            (_, Some(Stop::TimedOut)) => {
                self.attempt_failed(step, number, Cause::TimedOut, actions);
            }
            (Outcome::Failed, None) => self.attempt_failed(step, number, Cause::Reported, actions),
            // Nobody here asked for it: an interrupt reached the attempt first.
            (Outcome::Cancelled, None) => {
                self.end(step, StepStatus::Cancelled, Some(Because::RunCancelled), actions);
                self.stop(Because::RunCancelled, actions);
            }
        }
    }

    fn timer_fired(&mut self, step: usize, number: u32, timer: Timer, actions: &mut Vec<Action>) {
        match (timer, self.steps.get(step)) {
            (Timer::Timeout, Some(&StepState::Running { attempt })) if attempt == number => {
                self.cancel(step, attempt, Stop::TimedOut, actions);
            }
            (Timer::Retry, Some(&StepState::Delayed { attempt })) if attempt == number => {
                self.queue(step, attempt);
            }
            (Timer::Grace, Some(&StepState::Stopping { attempt, .. })) if attempt == number => {
                self.attempt_ended(step, number, Outcome::Lost, actions);
            }
            _ => {}
        }
    }

    /// Has a step that was to begin wait again, and all that keep to the same limits with it.
    fn held_back(&mut self, step: usize, number: u32, actions: &mut Vec<Action>) {
        if let Some(of) = self.not_begun(step, number, actions) {
            self.slots.block(of);
            self.queue(step, number);
        }
    }

    /// Has a step that was to begin wait until its launcher asks for it.
    fn put_off(&mut self, step: usize, number: u32, actions: &mut Vec<Action>) {
        if let Some(of) = self.not_begun(step, number, actions) {
            self.set(step, StepState::Ready { attempt: number });
            self.slots.put_off(of, step);
        }
    }

    /// Takes the slot of an attempt back that was to begin and did not; returns its step, if it may
    /// begin later.
    fn not_begun(&mut self, step: usize, number: u32, actions: &mut Vec<Action>) -> Option<usize> {
        match *self.steps.get(step)? {
            StepState::Running { attempt } if attempt == number => {
                let of = self.unit(step).step;
                self.slots.give_back(of);
                Some(of)
            }
            // The run was stopped meanwhile; the attempt will never begin.
            StepState::Stopping { attempt, .. } if attempt == number => {
                self.attempt_ended(step, number, Outcome::Cancelled, actions);
                None
            }
            _ => None,
        }
    }

    fn queue(&mut self, step: usize, attempt: u32) {
        self.set(step, StepState::Ready { attempt });
        self.slots.queue(self.unit(step).step, step);
    }

    fn launch_ready(&mut self, actions: &mut Vec<Action>) {
        while let Some(step) = self.slots.take() {
            let StepState::Ready { attempt } = self.steps[step] else {
                self.slots.give_back(self.unit(step).step);
                continue;
            };
            self.set(step, StepState::Running { attempt });
            actions.push(Action::Launch { step, attempt });
            if let Some(after) = self.plan.steps[self.unit(step).step].timeout {
                actions.push(Action::SetTimer { step, attempt, timer: Timer::Timeout, after });
            }
        }
    }

    fn cancel(&mut self, step: usize, attempt: u32, why: Stop, actions: &mut Vec<Action>) {
        self.set(step, StepState::Stopping { attempt, why });
        let after = self.grace(step);
        actions.push(Action::Cancel { step, attempt });
        actions.push(Action::SetTimer { step, attempt, timer: Timer::Grace, after });
    }

    /// Returns how long a cancelled attempt at a step or an item may take to end.
    pub fn grace(&self, step: usize) -> Duration {
        self.plan.pools.get(self.rules(step).pool).map_or(Pool::GRACE, |pool| pool.grace)
    }

    pub(super) fn succeed(&mut self, step: usize, status: StepStatus, actions: &mut Vec<Action>) {
        self.end(step, status, None, actions);
        if step >= self.plan.graph.len() {
            return; // An item: its step goes on when all of them are done.
        }
        for at in 0..self.plan.graph.downstream(step).len() {
            let next = self.plan.graph.downstream(step)[at] as usize;
            if let StepState::Waiting { upstream } = &mut self.steps[next] {
                *upstream -= 1;
                if *upstream == 0 {
                    self.resolve(next, actions);
                }
            }
        }
    }

    fn attempt_failed(
        &mut self,
        step: usize,
        number: u32,
        cause: Cause,
        actions: &mut Vec<Action>,
    ) {
        let may_retry = self.phase == Phase::Running && cause != Cause::Lost;
        let wait = self.rules(step).wait_after(number).filter(|_| may_retry);
        actions.push(Action::AttemptFailed { step, attempt: number, cause, retry_in: wait });
        let attempt = number.saturating_add(1);
        match wait {
            None => self.fail(step, actions),
            Some(wait) if wait.is_zero() => self.queue(step, attempt),
            Some(after) => {
                self.set(step, StepState::Delayed { attempt });
                actions.push(Action::SetTimer { step, attempt, timer: Timer::Retry, after });
            }
        }
    }

    pub(super) fn fail(&mut self, step: usize, actions: &mut Vec<Action>) {
        self.end(step, StepStatus::Failed, None, actions);
        if let Unit { step, item: Some(_) } = self.unit(step) {
            return self.item_failed(step, actions);
        }
        self.skip_downstream(step, actions);
        if self.phase == Phase::Running && self.plan.failure_mode != FailureMode::ContinueOnFailure
        {
            self.stop(Because::RunStopped { step }, actions);
        }
    }

    fn cancelled(&mut self, step: usize, actions: &mut Vec<Action>) {
        let because = match self.phase {
            Phase::Stopping(because) => Some(because),
            Phase::Idle | Phase::Running | Phase::Ended(_) => None,
        };
        self.end(step, StepStatus::Cancelled, because, actions);
    }

    /// Ends everything that can only be reached through a failed step. Each step is ended once, so
    /// all failures of a run together cost no more than its edges.
    pub(super) fn skip_downstream(&mut self, failed: usize, actions: &mut Vec<Action>) {
        let because = Some(Because::UpstreamFailed { step: failed });
        let mut stack = vec![failed];
        while let Some(step) = stack.pop() {
            for at in 0..self.plan.graph.downstream(step).len() {
                let next = self.plan.graph.downstream(step)[at] as usize;
                if matches!(self.steps[next], StepState::Waiting { .. }) {
                    self.end(next, StepStatus::Skipped, because, actions);
                    stack.push(next);
                }
            }
        }
    }

    /// Starts nothing more from here on. A cancellation overrides a stop because of a failure.
    pub(super) fn stop(&mut self, because: Because, actions: &mut Vec<Action>) {
        let stopping = Phase::Stopping;
        if self.phase == stopping(Because::RunCancelled) || self.phase == stopping(because) {
            return;
        }
        self.phase = Phase::Stopping(because);
        self.slots.clear();
        let cancelled = because == Because::RunCancelled;
        let cancels = because == Because::NoOrchestrator
            || cancelled
            || self.plan.failure_mode == FailureMode::FailFast;
        for step in 0..self.steps.len() {
            match self.steps[step] {
                StepState::Running { attempt } if cancels => {
                    self.cancel(step, attempt, Stop::Run, actions);
                }
                StepState::Waiting { .. }
                | StepState::Resolving
                | StepState::Ready { .. }
                | StepState::Delayed { .. } => {
                    let status = match self.status(step) {
                        _ if cancelled => StepStatus::Cancelled,
                        // Its attempt failed, and there will be no other.
                        StepStatus::Retrying => StepStatus::Failed,
                        _ => StepStatus::Skipped,
                    };
                    self.end(step, status, Some(because), actions);
                }
                // A mapped step ends with its items, which come after it.
                StepState::Running { .. }
                | StepState::Stopping { .. }
                | StepState::Mapped { .. }
                | StepState::Gathering
                | StepState::Ended(_) => {}
            }
        }
    }

    pub(super) fn end(
        &mut self,
        step: usize,
        status: StepStatus,
        because: Option<Because>,
        actions: &mut Vec<Action>,
    ) {
        self.set(step, StepState::Ended(status));
        actions.push(Action::StepEnded { step, status, because });
        if let Unit { step, item: Some(_) } = self.unit(step) {
            self.item_ended(step, status, because, actions);
        }
    }

    fn end_if_done(&mut self, actions: &mut Vec<Action>) {
        if self.phase == Phase::Idle || self.counts.unended() > 0 {
            return;
        }
        let status = match self.phase {
            _ if self.counts.successful() == self.counts.total() => RunStatus::Completed,
            Phase::Stopping(Because::RunCancelled) => RunStatus::Cancelled,
            _ => RunStatus::Failed,
        };
        self.phase = Phase::Ended(status);
        actions.push(Action::RunEnded { status });
    }

    /// Every transition of a step, so that the counts always agree with the states.
    pub(super) fn set(&mut self, step: usize, state: StepState) {
        let first = self.first_attempt(step);
        let before = std::mem::replace(&mut self.steps[step], state);
        debug_assert!(!matches!(before, StepState::Ended(_)), "step {step} had ended");
        self.counts.change(before.status(first), state.status(first));
    }
}
