//! The graphics processors that steps of a run hold, whichever of its orchestrators they run on: each is
//! one step's at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use partita_core::launcher::Reports;

/// What all orchestrators of a run share.
#[derive(Default)]
pub struct Gpus(Mutex<State>);

#[derive(Default)]
struct State {
    /// The ids that attempts hold, by the attempts' ids.
    held: HashMap<String, Vec<String>>,
    /// Who is told when one is free, since a step was put off.
    waiting: Option<Arc<dyn Reports>>,
}

impl State {
    fn free(&self, own: &[String]) -> Vec<String> {
        let is_held = |gpu: &&String| self.held.values().any(|held| held.contains(gpu));
        own.iter().filter(|gpu| !is_held(gpu)).cloned().collect()
    }
}

/// The part of an orchestrator: the graphics processors that it may hand out.
pub(crate) struct OwnGpus {
    gpus: Arc<Gpus>,
    own: Vec<String>,
}

impl OwnGpus {
    pub(crate) fn new(gpus: Arc<Gpus>, own: Vec<String>) -> Self {
        Self { gpus, own }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.gpus.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many of them somebody gets who asks for so many.
    fn at_most(&self, asked: u32) -> usize {
        usize::try_from(asked).unwrap_or(usize::MAX).min(self.own.len())
    }

    /// Returns whether so many are free. If not, another orchestrator has given them away, and steps
    /// that were put off are asked for once some are free.
    pub(crate) fn are_free(&self, asked: u32, reports: &Arc<dyn Reports>) -> bool {
        let asked = self.at_most(asked);
        if asked == 0 {
            return true;
        }
        let mut state = self.state();
        let are_free = state.free(&self.own).len() >= asked;
        if !are_free {
            state.waiting = Some(Arc::clone(reports));
        }
        are_free
    }

    /// Gives so many to an attempt.
    pub(crate) fn give(&self, asked: u32, attempt: String) {
        let asked = self.at_most(asked);
        if asked > 0 {
            let mut state = self.state();
            let mut given = state.free(&self.own);
            given.truncate(asked);
            state.held.insert(attempt, given);
        }
    }

    /// Notes what an attempt holds that was launched by an engine before this one.
    pub(crate) fn note(&self, attempt: String, is_its: impl Fn(&str) -> bool) {
        let its = self.own.iter().filter(|gpu| is_its(gpu)).cloned().collect();
        self.state().held.insert(attempt, its);
    }

    /// Returns what an attempt holds; `None` where there are none to hand out.
    pub(crate) fn of(&self, attempt: &str) -> Option<Vec<String>> {
        let held = || self.state().held.get(attempt).cloned().unwrap_or_default();
        (!self.own.is_empty()).then(held)
    }

    /// Takes back what an attempt holds, of which nothing runs any more.
    pub(crate) fn take_back(&self, attempt: &str) {
        let waiting = {
            let mut state = self.state();
            let held = state.held.remove(attempt).unwrap_or_default();
            if held.is_empty() { None } else { state.waiting.take() }
        };
        if let Some(reports) = waiting {
            reports.asked(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use partita_core::launcher::{Outcome, Unit};

    use super::*;

    /// Counts how often it is told that steps that were put off are taken.
    #[derive(Default)]
    struct Asked(AtomicUsize);

    impl Reports for Asked {
        fn ended(&self, _: Unit, _: u32, _: Outcome) {}

        fn asked(&self, _: Option<usize>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn own(gpus: &Arc<Gpus>, ids: &[&str]) -> OwnGpus {
        OwnGpus::new(Arc::clone(gpus), ids.iter().map(|&id| id.to_owned()).collect())
    }

    fn check(own: &OwnGpus, attempt: &str, expected: &[&str]) {
        assert_eq!(own.of(attempt).unwrap(), expected, "{attempt}");
    }

    #[test]
    fn two_orchestrators_hand_out_each_gpu_once() {
        let gpus = Arc::new(Gpus::default());
        let (processes, containers) = (own(&gpus, &["0", "1"]), own(&gpus, &["0", "1"]));
        let asked = Arc::new(Asked::default());
        let reports: Arc<dyn Reports> = Arc::<Asked>::clone(&asked);
        let told = || asked.0.load(Ordering::SeqCst);

        processes.give(1, "first".to_owned());
        assert!(containers.are_free(1, &reports));
        containers.give(1, "second".to_owned());
        check(&processes, "first", &["0"]);
        check(&containers, "second", &["1"]);

        assert!(!containers.are_free(2, &reports));
        processes.take_back("first");
        assert_eq!(told(), 1);
        assert!(!containers.are_free(2, &reports));
        containers.take_back("second");
        assert_eq!(told(), 2);
        assert!(containers.are_free(2, &reports));
        containers.give(2, "third".to_owned());
        check(&containers, "third", &["0", "1"]);
        // Nobody waits any more.
        containers.take_back("third");
        assert_eq!(told(), 2);
    }

    #[test]
    fn what_a_found_attempt_holds_is_given_to_nobody_else() {
        let containers = own(&Arc::new(Gpus::default()), &["0", "1"]);
        containers.note("found".to_owned(), |gpu| gpu == "0");
        containers.give(1, "next".to_owned());
        check(&containers, "next", &["1"]);
    }

    #[test]
    fn no_more_is_waited_for_than_there_is() {
        let none = own(&Arc::new(Gpus::default()), &[]);
        let reports: Arc<dyn Reports> = Arc::new(Asked::default());
        assert!(none.are_free(2, &reports));
        assert_eq!(none.of("any"), None);
    }
}
