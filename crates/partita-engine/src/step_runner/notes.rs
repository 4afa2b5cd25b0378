//! What a step says of itself while it runs; it is kept however the attempt ends.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use partita_core::literal::Literal;

/// The metadata of one attempt, by key.
#[derive(Debug, Default)]
pub struct Notes(Mutex<BTreeMap<String, Literal>>);

impl Notes {
    /// Replaces what has been noted.
    pub fn set(&self, metadata: BTreeMap<String, Literal>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = metadata;
    }

    /// Takes out what has been noted.
    pub(super) fn take(&self) -> BTreeMap<String, Literal> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
