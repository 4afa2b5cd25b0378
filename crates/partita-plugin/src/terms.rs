//! What an entrypoint is told besides its options, in its environment.

use std::collections::BTreeMap;

use partita_core::launcher::{Attempt, TERMS_VARIABLE};
use serde::Serialize;

use crate::launcher::Handed;

/// It records by itself what the step prints: whoever starts it here does not.
#[derive(Default, Serialize)]
struct Terms<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_last: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<u64>,
    is_recorded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets: Option<&'a str>,
}

impl Terms<'_> {
    fn environment(&self) -> BTreeMap<String, String> {
        let terms = serde_json::to_string(self).unwrap_or_default();
        BTreeMap::from([(TERMS_VARIABLE.to_owned(), terms)])
    }
}

/// Returns the variables of the entrypoint that makes an attempt.
pub(crate) fn of_attempt(attempt: &Attempt, handed: Option<&Handed>) -> BTreeMap<String, String> {
    Terms {
        cache_reason: attempt.cache_reason.as_deref(),
        is_last: Some(attempt.is_last),
        memory: attempt.step().config.resources.memory.map(|memory| memory.0),
        secrets: handed.map(|handed| &*handed.path),
        ..Terms::default()
    }
    .environment()
}

/// Returns the variables of entrypoints that an orchestrator starts by itself.
pub(crate) fn environment(handed: Option<&Handed>) -> BTreeMap<String, String> {
    let secrets = handed.map(|handed| &*handed.path);
    Terms { secrets, ..Terms::default() }.environment()
}
