//! Finds out that nothing fits a schema, so that no component is ever asked for what cannot be.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::faults::TYPES;
use super::{DEPTH, Schema, required};

/// References that were followed; none is followed twice.
type Seen = HashSet<String>;

impl Schema<'_> {
    /// Returns why no configuration fits the schema, or why one of its keys could never be set. What
    /// cannot be seen so is let pass.
    pub fn emptiness(&self) -> Option<String> {
        let mut seen = Seen::new();
        if let Some(empty) = self.empty(self.document, "#", &mut seen) {
            return Some(empty);
        }
        let mut keys = self.properties.into_iter().flatten();
        keys.find_map(|(key, schema)| self.empty(schema, &format!("#/properties/{key}"), &mut seen))
    }

    /// Returns why nothing fits the schema at `path`, as a sentence.
    fn empty(&self, schema: &Value, path: &str, seen: &mut Seen) -> Option<String> {
        if schema == &Value::Bool(false) {
            return Some(format!("nothing fits `{path}`, which is `false`"));
        }
        let rules = schema.as_object()?;
        let by_rule = rules.iter().find_map(|(rule, wanted)| match rule.as_str() {
            "$ref" => {
                let is_new = seen.insert(wanted.as_str()?.to_owned());
                self.empty(self.referred(wanted).filter(|_| is_new)?, path, seen)
            }
            "enum" => {
                let is_empty = wanted.as_array().is_some_and(Vec::is_empty);
                is_empty.then(|| format!("nothing fits `{path}`, whose `enum` is empty"))
            }
            "anyOf" | "oneOf" => {
                let mut first = None;
                for (at, one) in wanted.as_array()?.iter().enumerate() {
                    let empty = self.empty(one, &format!("{path}/{rule}/{at}"), seen)?;
                    first.get_or_insert(empty);
                }
                first
            }
            "allOf" => {
                let mut all = wanted.as_array()?.iter().enumerate();
                all.find_map(|(at, one)| self.empty(one, &format!("{path}/{rule}/{at}"), seen))
            }
            _ => None,
        });
        by_rule
            .or_else(|| empty_bounds(rules, path))
            .or_else(|| self.empty_object(schema, rules, path, seen))
            .or_else(|| self.empty_words(schema, rules, path))
            .or_else(|| {
                (self.types(schema, DEPTH) == 0).then(|| {
                    format!("nothing fits `{path}`: no value has all the types that it wants")
                })
            })
    }

    /// Returns the types that a value may have to fit the schema, a bit each; what cannot be seen so
    /// may have any.
    fn types(&self, schema: &Value, depth: usize) -> u8 {
        let (Some(rules), Some(depth)) = (schema.as_object(), depth.checked_sub(1)) else {
            return u8::MAX;
        };
        let all = |list: &Value, of: fn(u8, u8) -> u8, none: u8| {
            let each = list.as_array().into_iter().flatten();
            each.map(|one| self.types(one, depth)).fold(none, of)
        };
        rules.iter().fold(u8::MAX, |types, (rule, wanted)| {
            types
                & match rule.as_str() {
                    "type" => types_of(wanted),
                    "$ref" => self.referred(wanted).map_or(u8::MAX, |it| self.types(it, depth)),
                    "allOf" => all(wanted, |a, b| a & b, u8::MAX),
                    "anyOf" | "oneOf" => all(wanted, |a, b| a | b, 0),
                    _ => u8::MAX,
                }
        })
    }

    /// Sees that an object has to have a key that it cannot have.
    fn empty_object(
        &self,
        schema: &Value,
        rules: &Map<String, Value>,
        path: &str,
        seen: &mut Seen,
    ) -> Option<String> {
        if rules.get("type").is_some_and(|kind| kind != "object") {
            return None;
        }
        let known = rules.get("properties").and_then(Value::as_object);
        required(schema).find_map(|key| match known.and_then(|known| known.get(key)) {
            Some(schema) => self.empty(schema, &format!("{path}/properties/{key}"), seen),
            None => (rules.get("additionalProperties") == Some(&Value::Bool(false))).then(|| {
                format!(
                    "nothing fits `{path}`, which must have the key `{key}` and may have no such key"
                )
            }),
        })
    }

    /// Sees that none of the values that may be there is one that may be there.
    fn empty_words(
        &self,
        schema: &Value,
        rules: &Map<String, Value>,
        path: &str,
    ) -> Option<String> {
        let words = match (rules.get("const"), rules.get("enum")) {
            (Some(only), _) => std::slice::from_ref(only),
            (None, words) => words?.as_array()?,
        };
        let none = words.iter().all(|word| !self.accepts(schema, word, DEPTH));
        none.then(|| format!("nothing fits `{path}`: it does not accept its own values"))
    }
}

/// Returns the bits of what stands under `type`; a whole number is a number as well.
fn types_of(wanted: &Value) -> u8 {
    let bit = |word: &str| match TYPES.iter().position(|known| *known == word) {
        Some(at) => 1u8 << at,
        None => u8::MAX,
    };
    match wanted {
        Value::Array(all) => all.iter().map(types_of).fold(0, |types, one| types | one),
        Value::String(word) if word == "number" => bit("number") | bit("integer"),
        Value::String(word) => bit(word),
        _ => u8::MAX,
    }
}

/// Sees that a number has to be greater than it may be.
fn empty_bounds(rules: &Map<String, Value>, path: &str) -> Option<String> {
    let is_number = |word: &Value| word == "number" || word == "integer";
    let bound = |rule: &str| rules.get(rule).and_then(Value::as_f64);
    let least = bound("minimum").into_iter().chain(bound("exclusiveMinimum")).reduce(f64::max)?;
    let most = bound("maximum").into_iter().chain(bound("exclusiveMaximum")).reduce(f64::min)?;
    let is_excluded =
        bound("exclusiveMinimum") == Some(least) || bound("exclusiveMaximum") == Some(most);
    let is_empty = least > most || (least == most && is_excluded);
    (rules.get("type").is_some_and(is_number) && is_empty)
        .then(|| format!("nothing fits `{path}`: no number is within its bounds"))
}
