//! What the driver asks of the records of a run: is there a result already?

use std::sync::Arc;

use partita_core::run::{Failure, StepResult};

/// Looks results up, in the cache and among the run's commits.
///
/// Called on the driver's thread, so it must be quick: a look at one or two small documents.
pub trait Resolver: Send + Sync {
    /// Returns whether a step, whose upstream steps are all done, needs to run.
    fn resolve(&self, step: usize) -> Resolution;

    /// Returns the result that a step of this run is committed with, if it is.
    fn committed(&self, step: usize) -> Option<Arc<StepResult>>;

    /// Returns the record that an attempt has left, if it has.
    fn recorded(&self, step: usize, attempt: u32) -> Option<StepResult>;
}

/// Whether a step needs to run.
#[derive(Debug, Clone)]
pub enum Resolution {
    /// It does not: an earlier result has been taken over and committed.
    Cached(Arc<StepResult>),
    /// It does.
    Run {
        /// Why no earlier result was taken, for its record.
        reason: Option<Arc<str>>,
    },
    /// That could not be found out; the step fails.
    Failed(Failure),
}
