//! Whether steps are forked from a zygote, and which one.
//!
//! A run has one also where no step is forked: it ends whatever its engine leaves behind. Where a
//! program drives, its watcher does that.

use std::time::{Duration, Instant};

use partita_core::deployment::Step;

use super::entrypoint::{Setup, needs_own_start};
use super::lock::ProcessLock;
use super::watcher::Watcher;
use super::zygote::Zygote;

/// How long a zygote's imports may take before steps are started without it.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many zygotes of a run may be lost before no more steps are forked.
const MOST_LOSSES: u32 = 3;

/// The zygote of a run, or its watcher, started with the first step.
pub(super) struct Warm {
    state: State,
    losses: u32,
    /// Whether it forks.
    forks: bool,
    /// One step for each function that the zygote loads.
    steps: Vec<usize>,
}

enum State {
    /// There is none yet.
    None,
    /// There is one; until it is ready, it has to be by some time.
    Live { zygote: Zygote, overdue_at: Instant },
    /// There is none, and a watcher in its place.
    Watched(Watcher),
    /// There will be none.
    Unusable,
}

impl Warm {
    pub(super) fn new(setup: &Setup) -> Self {
        let deployment = &setup.context.deployment;
        let is_ours = |step: &Step| {
            let found = deployment.stack.orchestrator_named(step.config.orchestrator.as_deref());
            // Where steps of Python run in the engine's process, programs alone are started.
            found.is_some_and(|found| {
                found.name == setup.orchestrator && found.flavor == super::NAME
            })
        };
        let mut known = std::collections::HashSet::new();
        let steps = deployment.steps.iter().enumerate();
        let is_python = |step: &Step| deployment.program_of(step).is_none();
        let steps = steps.filter(|(_, step)| {
            is_ours(step) && is_python(step) && needs_own_start(step).is_none()
        });
        let steps = steps.filter(|(_, step)| known.insert(&step.source)).map(|(step, _)| step);
        let forks = setup.config.warm;
        let steps = steps.filter(|_| forks).collect();
        Self { state: State::None, losses: 0, forks, steps }
    }

    /// Starts the zygote, or the watcher, if there is none; returns whether it forks steps.
    pub(super) fn start(&mut self, setup: &Setup, lock: &ProcessLock) -> bool {
        if let State::Watched(watcher) = &mut self.state
            && watcher.has_ended()
        {
            self.state = State::None;
        }
        if matches!(self.state, State::None) {
            let started = match &setup.program {
                Some(program) => Watcher::start(program, lock).map(State::Watched),
                None => Zygote::start(setup, &self.steps, lock).map(|zygote| {
                    let overdue_at = Instant::now() + PATIENCE;
                    State::Live { zygote, overdue_at }
                }),
            };
            self.state = started.unwrap_or(State::Unusable);
        }
        self.forks && matches!(self.state, State::Live { .. })
    }

    /// Returns the zygote, if there is one.
    pub(super) fn zygote(&self) -> Option<&Zygote> {
        match &self.state {
            State::Live { zygote, .. } => Some(zygote),
            State::None | State::Watched(_) | State::Unusable => None,
        }
    }

    /// Returns the zygote, to be told something.
    pub(super) fn zygote_mut(&mut self) -> Option<&mut Zygote> {
        match &mut self.state {
            State::Live { zygote, .. } => Some(zygote),
            State::None | State::Watched(_) | State::Unusable => None,
        }
    }

    /// Returns when the zygote is given up, if it is not ready.
    pub(super) fn overdue_at(&self) -> Option<Instant> {
        match &self.state {
            State::Live { zygote, overdue_at } => (!zygote.is_ready).then_some(*overdue_at),
            State::None | State::Watched(_) | State::Unusable => None,
        }
    }

    /// Notes that the zygote has imported what it could.
    pub(super) fn ready(&mut self) {
        if let State::Live { zygote, .. } = &mut self.state {
            zygote.is_ready = true;
        }
    }

    /// Gives the zygote up. Another one is started for the next step: one that forks, if this one
    /// was good for something, or else one that imports nothing and only ends what is left.
    pub(super) fn lose(&mut self) {
        if let State::Live { zygote, .. } = std::mem::replace(&mut self.state, State::Unusable) {
            self.losses += 1;
            if self.forks || zygote.is_ready {
                self.state = State::None;
            }
            if !zygote.is_ready || self.losses >= MOST_LOSSES {
                self.forks = false;
                self.steps.clear();
            }
            zygote.kill();
        }
    }

    /// Ends the zygote, or the watcher, and what steps have left.
    pub(super) fn end(self, lock: &ProcessLock) {
        match self.state {
            State::Live { zygote, .. } => zygote.end(),
            State::Watched(_watcher) => {
                // What does not end now ends before the next engine of the run begins.
                let _ = lock.end_marked();
            }
            State::None | State::Unusable => {}
        }
    }
}
