//! The life of a run: it begins, is executed, ends, and can be resumed; and what it would do.

mod before;
mod changes;
mod follow;
mod identity;
mod live;
mod observers;
mod plan;
mod redacting;
mod submit;

pub use changes::changes;
pub use follow::{Follower, Happened};
pub use identity::Identity;
pub use live::{Executed, LiveRun, NewRun, Place, RunError};
pub use plan::{ImageVerdict, PlannedImage, PlannedItems, PlannedStep, Verdict, plan};
pub use submit::{HandOver, take_back};
