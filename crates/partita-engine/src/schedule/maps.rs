//! How a mapped step fares: it is expanded, its items end, and what they made is gathered.

use partita_core::launcher::Unit;
use partita_core::settings::FailureMode;
use partita_core::status::StepStatus;

use super::event::{Action, Because};
use super::plan::BegunItem;
use super::scheduler::Scheduler;
use super::state::{Phase, StepState};

impl Scheduler {
    /// Takes the size of a mapped step, and begins with its items.
    pub(super) fn expanded(&mut self, step: usize, items: Option<u32>, actions: &mut Vec<Action>) {
        let is_mapped = self.plan.steps.get(step).is_some_and(|rules| rules.mapped);
        if !is_mapped || self.steps.get(step) != Some(&StepState::Resolving) {
            return;
        }
        // Numbers are kept in 32 bits.
        let fits = |items: &u32| u32::try_from(self.steps.len() + *items as usize).is_ok();
        let Some(count) = items.filter(fits) else {
            return self.fail(step, actions);
        };
        let first = self.steps.len();
        let left = (0..count).map(|item| self.add_item(step, item)).filter(|done| !done).count();
        self.set(step, StepState::Mapped { left: left as u32, worst: None });
        if left == 0 {
            return self.gather(step, actions);
        }
        for number in first..self.steps.len() {
            if self.steps[number] == (StepState::Waiting { upstream: 0 }) {
                self.resolve(number, actions);
            }
        }
    }

    /// Adds an item; returns whether it is committed already.
    fn add_item(&mut self, step: usize, item: u32) -> bool {
        let begun = self.plan.begun_items.get(&Unit::item(step, item)).copied();
        let fresh = BegunItem { first_attempt: 1, committed: false };
        let BegunItem { first_attempt, committed } = begun.unwrap_or(fresh);
        let state = match committed {
            true => StepState::Ended(StepStatus::Completed),
            false => StepState::Waiting { upstream: 0 },
        };
        self.items.add(step, item, first_attempt.max(1));
        self.counts.add(state.status(first_attempt));
        self.steps.push(state);
        committed
    }

    fn gather(&mut self, step: usize, actions: &mut Vec<Action>) {
        self.set(step, StepState::Gathering);
        actions.push(Action::Gather { step });
    }

    /// Takes what came of gathering. Like any commit, it counts also in a run that stops.
    pub(super) fn gathered(&mut self, step: usize, status: StepStatus, actions: &mut Vec<Action>) {
        if self.steps.get(step) != Some(&StepState::Gathering) {
            return;
        }
        match status.is_successful() {
            true => self.succeed(step, status, actions),
            false => self.fail(step, actions),
        }
    }

    /// Notes that an item of `step` has ended, and why; the last one ends the step.
    pub(super) fn item_ended(
        &mut self,
        step: usize,
        status: StepStatus,
        because: Option<Because>,
        actions: &mut Vec<Action>,
    ) {
        let StepState::Mapped { left, worst } = self.steps[step] else { return };
        let (left, worst) = (left - 1, worse(worst, status));
        self.set(step, StepState::Mapped { left, worst });
        if left > 0 {
            return;
        }
        let because = match self.phase {
            // The interrupt that reached its last item is about to cancel the run.
            _ if because == Some(Because::RunCancelled) => because,
            Phase::Stopping(because) => Some(because),
            Phase::Idle | Phase::Running | Phase::Ended(_) => None,
        };
        match worst {
            None => self.gather(step, actions),
            Some(StepStatus::Failed) => self.fail(step, actions),
            Some(_) if because == Some(Because::RunCancelled) => {
                self.end(step, StepStatus::Cancelled, because, actions);
            }
            Some(status) => self.end(step, status, because, actions),
        }
    }

    /// Decides what a failed item means for the rest of the run; its step fails with its last item.
    pub(super) fn item_failed(&mut self, step: usize, actions: &mut Vec<Action>) {
        let stops = self.plan.failure_mode != FailureMode::ContinueOnFailure;
        // The last item's failure has failed the step, and stopped the run, already.
        let goes_on = matches!(self.steps[step], StepState::Mapped { .. });
        if self.phase == Phase::Running && stops && goes_on {
            self.skip_downstream(step, actions);
            self.stop(Because::RunStopped { step }, actions);
        }
    }
}

/// Returns the worse of how items ended; those that are done change nothing.
fn worse(worst: Option<StepStatus>, status: StepStatus) -> Option<StepStatus> {
    let rank = |status: StepStatus| match status {
        StepStatus::Failed => 3,
        StepStatus::Cancelled => 2,
        _ => 1,
    };
    match worst {
        _ if status.is_successful() => worst,
        Some(worst) if rank(worst) >= rank(status) => Some(worst),
        _ => Some(status),
    }
}
