//! Who kills processes: the system, where memory runs out, or somebody.

use std::fs;
use std::time::{Duration, Instant};

/// How long a count is good for the attempts that begin.
const FRESH: Duration = Duration::from_secs(1);

/// Who killed a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Killer {
    /// The system, which had no memory left.
    System,
    /// Somebody else.
    Somebody,
    /// The system does not tell.
    Unknown,
}

impl Killer {
    /// Returns who killed a process that has just been found killed, and before which the system had
    /// killed so many.
    pub(super) fn of(before: Option<u64>) -> Self {
        match (before, count()) {
            (Some(before), Some(now)) if now > before => Self::System,
            (Some(_), Some(_)) => Self::Somebody,
            _ => Self::Unknown,
        }
    }
}

/// How many processes the system has killed for their memory, looked at now and then.
#[derive(Default)]
pub(super) struct Kills(Option<(Instant, Option<u64>)>);

impl Kills {
    /// Returns how many they are, or were a moment ago; `None` where the system does not tell.
    pub(super) fn count(&mut self) -> Option<u64> {
        match self.0 {
            Some((at, count)) if at.elapsed() < FRESH => count,
            _ => self.0.insert((Instant::now(), count())).1,
        }
    }
}

/// Returns how many processes the system has killed for their memory, limits of control groups
/// included (`oom_kill` in `/proc/vmstat`).
fn count() -> Option<u64> {
    let counters = fs::read_to_string("/proc/vmstat").ok()?;
    counters.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok())
}
