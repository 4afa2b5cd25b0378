//! Secrets: kept encrypted, resolved for whoever uses them, and taken out of whatever is told.
//!
//! Documents hold references (`partita_core::secret`). A value exists in three places: encrypted in
//! the metadata store, in the memory of an engine whose run uses it, and in the process of a step
//! that takes it.

mod error;
mod forms;
mod handed;
mod outgoing;
mod redactor;
mod resolved;
mod store;
#[cfg(test)]
mod tests;
mod vault;

pub use error::SecretError;
pub use handed::Handed;
pub(crate) use outgoing::Outgoing;
pub use redactor::{Redaction, Redactor};
pub use resolved::Secrets;
pub use secrecy::{ExposeSecret, SecretString};
pub use store::{LONGEST, SHORTEST, SecretStore, check_value};
