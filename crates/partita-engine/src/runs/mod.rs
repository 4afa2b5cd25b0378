//! The life of a run: it begins, is executed, ends, and can be resumed; and what it would do.

mod changes;
mod live;
mod observers;
mod plan;

pub use changes::changes;
pub use live::{Executed, LiveRun, NewRun, RunError};
pub use plan::{PlannedStep, Verdict, plan};
