//! Handing small steps over between threads without putting either to sleep.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::yield_now;
use std::time::{Duration, Instant};

/// How long a thread looks before it sleeps. Steps that do next to nothing end within that, and to
/// sleep and to be woken would take as long again.
const PATIENCE: Duration = Duration::from_micros(200);

/// A look that takes so long has given its processor to somebody who is busy, for a time slice.
const TIME_SLICE: Duration = Duration::from_millis(1);

/// How often a thread sleeps at once after that: twice as often each time, within these bounds.
const FEWEST_SLEEPS: u32 = 8;
const MOST_SLEEPS: u32 = 1024;

/// Looks for what another thread is about to hand over, for as long as that is worth it.
#[derive(Debug)]
pub struct Handover {
    /// How many times nothing is looked for, since the machine is busy.
    sleeps: AtomicU32,
    next_sleeps: AtomicU32,
}

impl Default for Handover {
    fn default() -> Self {
        Self { sleeps: AtomicU32::new(0), next_sleeps: AtomicU32::new(FEWEST_SLEEPS) }
    }
}

impl Handover {
    /// Returns what `look` finds, if it is there or comes within moments.
    ///
    /// The processor goes to whoever wants it meanwhile, most likely the thread that is waited for.
    pub fn look_for<T>(&self, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        let sleeps = self.sleeps.load(Ordering::Relaxed);
        if sleeps > 0 {
            self.sleeps.store(sleeps - 1, Ordering::Relaxed);
            return look();
        }
        let start = Instant::now();
        loop {
            let found = look();
            let waited = start.elapsed();
            if found.is_some() || waited >= PATIENCE {
                self.learn(waited);
                return found;
            }
            yield_now();
        }
    }

    /// Decides from how long a look took whether the next ones are worth it.
    fn learn(&self, waited: Duration) {
        let sleeps = self.next_sleeps.load(Ordering::Relaxed);
        let next = if waited < TIME_SLICE {
            sleeps / 2
        } else {
            self.sleeps.store(sleeps, Ordering::Relaxed);
            sleeps * 2
        };
        self.next_sleeps.store(next.clamp(FEWEST_SLEEPS, MOST_SLEEPS), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns how often something that never comes is looked for.
    fn looks(handover: &Handover) -> u32 {
        let mut looks = 0;
        let found: Option<()> = handover.look_for(|| {
            looks += 1;
            None
        });
        assert_eq!(found, None);
        looks
    }

    #[test]
    fn what_is_there_is_found_at_once() {
        let handover = Handover::default();
        assert_eq!(handover.look_for(|| Some("it")), Some("it"));
        handover.learn(TIME_SLICE);
        assert_eq!(handover.look_for(|| Some("it")), Some("it"));
    }

    #[test]
    fn on_a_busy_machine_threads_sleep_at_once_more_and_more_often() {
        let handover = Handover::default();
        for sleeps in [8, 16, 32, 64, 128, 256, 512, 1024, 1024] {
            handover.learn(TIME_SLICE);
            for _ in 0..sleeps {
                assert_eq!(looks(&handover), 1);
            }
            assert_eq!(handover.sleeps.load(Ordering::Relaxed), 0);
        }
        (0..7).for_each(|_| handover.learn(Duration::ZERO));
        handover.learn(TIME_SLICE);
        assert_eq!(handover.sleeps.load(Ordering::Relaxed), FEWEST_SLEEPS);
    }
}
