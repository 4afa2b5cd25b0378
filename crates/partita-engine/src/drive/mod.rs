//! Carries out what the scheduler decides: the one loop that owns the state of a running run.
//!
//! Everything that happens reaches the loop through one channel or one heap of timers, so that it
//! is handled one at a time and nothing polls, except launchers that cannot report ends.

mod clock;
mod driver;
mod failures;
mod flights;
mod handover;
mod inbox;
mod limits;
mod observe;
mod resolve;
mod timers;

#[cfg(test)]
mod tests;

pub use driver::{Drive, Driver};
pub use failures::timed_out;
pub(crate) use failures::{FailedItems, summary};
pub use handover::Handover;
pub use inbox::{CancelHandle, LimitsHandle};
pub use limits::{Limits, NoLimits, Places, Reached, Taken};
pub use observe::{Observer, RunEvent, RunOutcome};
pub use resolve::{Resolution, Resolver};
