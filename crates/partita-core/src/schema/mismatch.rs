//! Says what is wrong with a value, as deep in it as that is.

use std::fmt;

use serde_json::{Map, Value};

use super::words::Words;
use super::{DEPTH, Schema, properties, required};

/// Characters of a refused value that a message shows.
const SHOWN: usize = 80;

/// A value that a schema does not accept; shown as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Where it is, as in `limits.cpu`.
    pub path: String,
    /// What is wrong there, as in ``is a number, not `"4"` ``.
    pub what: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.path, self.what)
    }
}

impl Schema<'_> {
    /// Says what is wrong with the value at `path`, which this part of the schema does not accept.
    pub(super) fn mismatch(
        &self,
        schema: &Value,
        value: &Value,
        path: String,
        depth: usize,
    ) -> Mismatch {
        let Some(depth) = depth.checked_sub(1) else { return self.flat(schema, value, path) };
        if let Some(referred) = schema.get("$ref").and_then(|reference| self.referred(reference)) {
            return self.mismatch(referred, value, path, depth);
        }
        if let Some(only) = alternative(schema).filter(|_| value.is_object() || value.is_array()) {
            return self.mismatch(only, value, path, depth);
        }
        let inside = match (value, schema.get("type").and_then(Value::as_str)) {
            (Value::Array(items), Some("array")) => self.in_list(schema, items, &path, depth),
            (Value::Object(object), Some("object")) => self.in_object(schema, object, &path, depth),
            _ => None,
        };
        inside.unwrap_or_else(|| self.flat(schema, value, path))
    }

    /// Says that the value as a whole is not what is expected.
    fn flat(&self, schema: &Value, value: &Value, path: String) -> Mismatch {
        let expected = Words(self).expected(schema, DEPTH);
        Mismatch { path, what: format!("is {expected}, not `{}`", shown(value)) }
    }

    fn in_list(
        &self,
        schema: &Value,
        items: &[Value],
        path: &str,
        depth: usize,
    ) -> Option<Mismatch> {
        let wanted = schema.get("items")?;
        let mut items = items.iter().enumerate();
        let (at, item) = items.find(|(_, item)| !self.accepts(wanted, item, depth))?;
        Some(self.mismatch(wanted, item, format!("{path}[{at}]"), depth))
    }

    fn in_object(
        &self,
        schema: &Value,
        object: &Map<String, Value>,
        path: &str,
        depth: usize,
    ) -> Option<Mismatch> {
        if let Some(key) = required(schema).find(|key| !object.contains_key(*key)) {
            let what = "is missing".to_owned();
            return Some(Mismatch { path: format!("{path}.{key}"), what });
        }
        let known = Schema { document: self.document, properties: properties(schema) };
        let more = schema.get("additionalProperties");
        let wanted = |key: &str| known.properties.and_then(|known| known.get(key)).or(more);
        let mut all = object.iter().filter_map(|(key, value)| Some((key, wanted(key)?, value)));
        let (key, wanted, value) =
            all.find(|(_, wanted, value)| !self.accepts(wanted, value, depth))?;
        let path = format!("{path}.{key}");
        Some(match wanted {
            Value::Bool(_) => {
                Mismatch { path, what: format!("is no key of it; {}", known.suggestion(key)) }
            }
            wanted => self.mismatch(wanted, value, path, depth),
        })
    }
}

/// Returns the one alternative of a schema that may also be `null`.
fn alternative(schema: &Value) -> Option<&Value> {
    let all = schema.get("anyOf").or_else(|| schema.get("oneOf"))?.as_array()?;
    let is_null = |one: &&Value| one.get("type").and_then(Value::as_str) == Some("null");
    let mut others = all.iter().filter(|one| !is_null(one));
    others.next().filter(|_| others.next().is_none())
}

/// Returns a value as JSON, cut to a readable length.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    let mut shown: String = text.chars().take(SHOWN).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
