//! What the driver has to do at a later time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::schedule::Timer;

/// Something that is due at some time. What is stale by then is found out by its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// The scheduler's timer for an attempt.
    Timer { step: usize, attempt: u32, timer: Timer },
    /// Another try to hand an attempt to a backend that could not be reached.
    Launch { step: usize, attempt: u32 },
    /// Another try to cancel it there.
    Cancel { step: usize, attempt: u32 },
    /// The next look at all running jobs.
    Poll,
}

/// Timers in the order in which they are due; those of the same time in the order they were set.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Duration, u64, Due)>>,
    set: u64,
}

impl Timers {
    pub(super) fn set(&mut self, at: Duration, due: Due) {
        self.heap.push(Reverse((at, self.set, due)));
        self.set += 1;
    }

    /// Returns when the next one is due.
    pub(super) fn next(&self) -> Option<Duration> {
        self.heap.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes the next one if it is due at `now`; the clock is not asked if there is none.
    pub(super) fn take_due(&mut self, now: impl FnOnce() -> Duration) -> Option<Due> {
        let at = self.next()?;
        if now() < at {
            return None;
        }
        self.heap.pop().map(|Reverse((_, _, due))| due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_are_taken_when_due_in_the_order_they_were_set() {
        let launch = |step| Due::Launch { step, attempt: 1 };
        let mut timers = Timers::default();
        for (at, due) in [(2, launch(0)), (1, launch(9)), (1, launch(3)), (1, Due::Poll)] {
            timers.set(Duration::from_secs(at), due);
        }
        assert_eq!(timers.take_due(|| Duration::ZERO), None);
        let taken: Vec<_> =
            std::iter::from_fn(|| timers.take_due(|| Duration::from_secs(1))).collect();
        assert_eq!(taken, [launch(9), launch(3), Due::Poll]);
        assert_eq!(timers.next(), Some(Duration::from_secs(2)));
    }
}
