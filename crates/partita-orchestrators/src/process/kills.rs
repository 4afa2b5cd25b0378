//! Who kills processes: the system, where memory runs out, or somebody.

use std::fs;

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

/// How many processes the system has killed for their memory, up to the last look.
pub(super) struct Kills(Option<u64>);

impl Kills {
    pub(super) fn new() -> Self {
        Self(count())
    }

    /// Returns who killed the process that has just been found killed.
    pub(super) fn look(&mut self) -> Killer {
        let before = std::mem::replace(&mut self.0, count());
        match (before, self.0) {
            (Some(before), Some(now)) if now > before => Killer::System,
            (Some(_), Some(_)) => Killer::Somebody,
            _ => Killer::Unknown,
        }
    }
}

/// Returns how many processes the system has killed for their memory, limits of control groups
/// included (`oom_kill` in `/proc/vmstat`).
fn count() -> Option<u64> {
    let counters = fs::read_to_string("/proc/vmstat").ok()?;
    counters.lines().find_map(|line| line.strip_prefix("oom_kill ")?.parse().ok())
}
