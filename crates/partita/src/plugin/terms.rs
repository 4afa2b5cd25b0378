//! What an engine says of an attempt in the environment of its process.

use serde_json::{Map, Value};

/// The process with which one that is told these terms ends.
const PARENT: &str = "parent";

/// Returns the process with which one that is told these terms ends, if there is one.
pub(super) fn parent(terms: &str) -> Option<i32> {
    let told: Map<String, Value> = serde_json::from_str(terms).ok()?;
    told.get(PARENT)?.as_i64()?.try_into().ok()
}

/// What an entrypoint keeps to where nobody says anything: it records what goes through it.
const NONE: &str = r#"{"is_recorded": false, "is_labelled": false}"#;

/// Returns the terms of a process that ends with this one, and keeps to these otherwise.
pub(super) fn with_this(terms: Option<&str>) -> Option<String> {
    let mut told: Map<String, Value> = serde_json::from_str(terms.unwrap_or(NONE)).ok()?;
    told.insert(PARENT.to_owned(), std::process::id().into());
    Some(Value::Object(told).to_string())
}
