//! What the driver asks of the records of a run: is there a result already?

use std::sync::Arc;

use partita_core::launcher::Unit;
use partita_core::run::{Failure, StepResult};

/// Looks results up, in the cache and among the run's commits.
///
/// Called on the driver's thread, so it must be quick: a look at one or two small documents.
pub trait Resolver: Send + Sync {
    /// Returns whether a step or an item, whose upstream steps are all done, needs to run.
    fn resolve(&self, unit: Unit) -> Resolution;

    /// Returns how many items a mapped step has, whose upstream steps are all done.
    ///
    /// # Errors
    /// Why that cannot be found out; the step fails.
    fn expand(&self, step: usize) -> Result<u32, Failure>;

    /// Commits a mapped step all of whose items are committed, and returns its result.
    ///
    /// # Errors
    /// Why that cannot be done; the step fails.
    fn gather(&self, step: usize) -> Result<Arc<StepResult>, Failure>;

    /// Returns the result that a step or an item of this run is committed with, if it is.
    fn committed(&self, unit: Unit) -> Option<Arc<StepResult>>;

    /// Returns the record that an attempt has left, if it has.
    fn recorded(&self, unit: Unit, attempt: u32) -> Option<StepResult>;
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
