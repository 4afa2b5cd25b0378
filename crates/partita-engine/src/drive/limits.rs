//! What the driver asks before it launches an attempt: may it run beside those of other runs?

use std::fmt;

use partita_core::run::Failure;

use super::inbox::LimitsHandle;

/// Gives out places under named limits that several runs share.
///
/// Called on the driver's thread, so it must be quick.
pub trait Limits: Send + Sync {
    /// Takes a place under each limit of a step, unless one of them is reached. Then whoever
    /// listens is told when it may have room again.
    ///
    /// # Errors
    /// If that cannot be found out; the attempt fails.
    fn take(&self, step: usize) -> Result<Taken, Failure>;

    /// Says who is to be told of room.
    fn listen(&self, run: LimitsHandle);
}

/// What came of asking for places.
#[derive(Debug)]
pub enum Taken {
    /// They are taken.
    Places(Places),
    /// There is none left under a limit.
    Reached(Reached),
}

/// A limit under which no place is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Its name.
    pub limit: String,
    /// The names of the runs that hold its places, as far as they are known.
    pub holders: Vec<String>,
}

/// Places under limits, given back when dropped.
#[derive(Default)]
pub struct Places(Vec<Box<dyn Send>>);

impl Places {
    /// Returns these places, each of which gives itself back when it is dropped.
    pub fn of(places: Vec<Box<dyn Send>>) -> Self {
        Self(places)
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} places", self.0.len())
    }
}

/// The limits of a run that has none.
#[derive(Debug, Clone, Copy)]
pub struct NoLimits;

impl Limits for NoLimits {
    fn take(&self, _step: usize) -> Result<Taken, Failure> {
        Ok(Taken::Places(Places::default()))
    }

    fn listen(&self, _run: LimitsHandle) {}
}
