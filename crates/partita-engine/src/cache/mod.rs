//! The action cache: whether a step's result is there already, and if not, why not.

mod explain;
mod lookup;

pub(crate) use lookup::CACHING_IS_OFF;
pub use lookup::{CacheResolver, Lookup, ResumedFrom};
