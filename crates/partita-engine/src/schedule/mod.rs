//! Decides what a run does next, purely: `(state, event) -> actions`.
//!
//! No clock, no threads and no I/O: [`drive`](crate::drive) carries the actions out and brings back
//! events. Steps are numbers everywhere; their state is arrays indexed by them, each event costs
//! O(out-degree), and a run is swept over as a whole only when it begins and when it stops. The items
//! of mapped steps get the next numbers when their step is expanded.

mod event;
mod graph;
mod items;
mod maps;
mod plan;
mod scheduler;
mod slots;
mod state;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod table;

pub use event::{Action, Because, Cause, Event, Outcome, Resolved, Timer};
pub use graph::{Graph, InvalidGraph};
pub use plan::{BegunItem, Plan, Pool, StepPlan};
pub use scheduler::Scheduler;
pub use state::Counts;
