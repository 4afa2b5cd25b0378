//! JSON Schemas of configurations and settings: what they accept, in values and in words.
//!
//! It follows what serde types and pydantic models are described with: types, enumerations,
//! constants, references, alternatives, bounds, nested lists and objects. Whatever else a schema
//! says, the flavor's own configuration class checks.

mod empty;
mod faults;
mod mismatch;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::literal::Literal;
use crate::name::nearest;
pub use mismatch::Mismatch;
use words::Words;

/// References that may follow one another.
const DEPTH: usize = 32;

/// The schema of an object of keys and values.
pub struct Schema<'a> {
    document: &'a Value,
    properties: Option<&'a Map<String, Value>>,
}

/// A key, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub name: String,
    /// What it takes.
    pub expected: String,
    /// Its default as JSON, `(required)`, or nothing.
    pub default: String,
    /// What it means.
    pub description: String,
}

impl<'a> Schema<'a> {
    /// Returns the schema of a document, which is a JSON Schema.
    pub fn of(document: &'a Value) -> Self {
        Self { document, properties: properties(document) }
    }

    /// Returns the keys, in the order of the document.
    pub fn keys(&self) -> Vec<Key> {
        let text = |schema: &Value, key: &str| {
            schema.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let required = self.required();
        let key = |(name, schema): (&String, &Value)| Key {
            name: name.clone(),
            expected: Words(self).expected(schema, DEPTH),
            default: match schema.get("default") {
                Some(default) => default.to_string(),
                None if required.contains(&name.as_str()) => "(required)".to_owned(),
                None => String::new(),
            },
            description: text(schema, "description").replace('\n', " "),
        };
        self.properties.into_iter().flatten().map(key).collect()
    }

    /// Returns the names of the keys.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.properties.into_iter().flatten().map(|(name, _)| name.as_str())
    }

    /// Returns whether a key is known, or may be any.
    pub fn knows(&self, key: &str) -> bool {
        let more = self.document.get("additionalProperties");
        let is_open = more.is_some_and(|more| more != &Value::Bool(false));
        is_open || self.properties.is_some_and(|properties| properties.contains_key(key))
    }

    /// Returns how a message about an unknown key goes on: what is meant, or what there is.
    pub fn suggestion(&self, key: &str) -> String {
        let mut names = self.names().peekable();
        if names.peek().is_none() {
            return "it has none".to_owned();
        }
        match nearest(key, self.names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => {
                let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
                format!("its keys are {}", names.join(", "))
            }
        }
    }

    /// Reads a value that was typed: as JSON where that fits, else as text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(&self, key: &str, text: &str) -> Result<Literal, Mismatch> {
        let schema = self.property(key);
        let as_text = Value::String(text.to_owned());
        let as_json = serde_json::from_str::<Value>(text).ok();
        // Where text is wanted, `1` and `true` are text; `null` is still no text at all.
        let value = if self.accepts(schema, &as_text, DEPTH) && as_json != Some(Value::Null) {
            Some(&as_text)
        } else {
            let mut readings = as_json.iter().chain([&as_text]);
            readings.find(|value| self.accepts(schema, value, DEPTH))
        };
        let literal = value.and_then(|value| Literal::parse(&value.to_string()).ok());
        literal.ok_or_else(|| {
            self.mismatch(schema, as_json.as_ref().unwrap_or(&as_text), key.to_owned(), DEPTH)
        })
    }

    /// Checks the value of a key.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, key: &str, value: &Literal) -> Result<(), Mismatch> {
        let schema = self.property(key);
        match serde_json::from_str::<Value>(value.text()) {
            Ok(value) if self.accepts(schema, &value, DEPTH) => Ok(()),
            Ok(value) => Err(self.mismatch(schema, &value, key.to_owned(), DEPTH)),
            Err(error) => {
                Err(Mismatch { path: key.to_owned(), what: format!("is no JSON: {error}") })
            }
        }
    }

    /// Returns the keys that have to be there and are not.
    pub fn missing(&self, values: &BTreeMap<String, Literal>) -> Vec<&'a str> {
        self.required().into_iter().filter(|key| !values.contains_key(*key)).collect()
    }

    /// Returns everything that is wrong with keys and values, a sentence each.
    pub fn problems(&self, values: &BTreeMap<String, Literal>) -> Vec<String> {
        let missing = self.missing(values).into_iter().map(|key| format!("`{key}` is missing"));
        let wrong = values.iter().filter_map(|(key, value)| {
            if !self.knows(key) {
                return Some(format!("there is no key `{key}`; {}", self.suggestion(key)));
            }
            Some(self.check(key, value).err()?.to_string())
        });
        missing.chain(wrong).collect()
    }

    /// Returns a default that does not fit its key, as a sentence; `null` stands for none.
    pub fn wrong_default(&self) -> Option<String> {
        self.properties.into_iter().flatten().find_map(|(key, schema)| {
            let default = schema.get("default").filter(|default| !default.is_null())?;
            let fits = self.accepts(schema, default, DEPTH);
            (!fits).then(|| self.mismatch(schema, default, key.to_owned(), DEPTH).to_string())
        })
    }

    fn property(&self, key: &str) -> &'a Value {
        let found = self.properties.and_then(|properties| properties.get(key));
        found.or_else(|| self.document.get("additionalProperties")).unwrap_or(&Value::Bool(true))
    }

    fn required(&self) -> Vec<&'a str> {
        required(self.document).collect()
    }

    fn accepts(&self, schema: &Value, value: &Value, depth: usize) -> bool {
        let Some(rules) = schema.as_object() else { return schema != &Value::Bool(false) };
        let Some(depth) = depth.checked_sub(1) else { return false };
        let any = |list: &Value| {
            list.as_array().is_some_and(|all| all.iter().any(|one| self.accepts(one, value, depth)))
        };
        let all = |list: &Value| {
            list.as_array().is_none_or(|all| all.iter().all(|one| self.accepts(one, value, depth)))
        };
        rules.iter().all(|(rule, wanted)| match rule.as_str() {
            "$ref" => self.referred(wanted).is_none_or(|schema| self.accepts(schema, value, depth)),
            "const" => wanted == value,
            "enum" => wanted.as_array().is_none_or(|words| words.contains(value)),
            "anyOf" | "oneOf" => any(wanted),
            "allOf" => all(wanted),
            "type" => has_type(wanted, value),
            "minimum" => {
                value.as_f64().zip(wanted.as_f64()).is_none_or(|(value, least)| value >= least)
            }
            "maximum" => {
                value.as_f64().zip(wanted.as_f64()).is_none_or(|(value, most)| value <= most)
            }
            "exclusiveMinimum" => {
                value.as_f64().zip(wanted.as_f64()).is_none_or(|(value, least)| value > least)
            }
            "exclusiveMaximum" => {
                value.as_f64().zip(wanted.as_f64()).is_none_or(|(value, most)| value < most)
            }
            "items" => value
                .as_array()
                .is_none_or(|items| items.iter().all(|item| self.accepts(wanted, item, depth))),
            "required" => value.as_object().is_none_or(|object| has_keys(wanted, object)),
            "properties" => value.as_object().is_none_or(|object| {
                object.iter().all(|(key, value)| {
                    wanted.get(key).is_none_or(|schema| self.accepts(schema, value, depth))
                })
            }),
            "additionalProperties" => value.as_object().is_none_or(|object| {
                let known = rules.get("properties");
                let is_more = |key: &String| known.is_none_or(|known| known.get(key).is_none());
                object
                    .iter()
                    .filter(|(key, _)| is_more(key))
                    .all(|(_, value)| self.accepts(wanted, value, depth))
            }),
            _ => true,
        })
    }

    fn referred(&self, reference: &Value) -> Option<&Value> {
        self.document.pointer(reference.as_str()?.strip_prefix('#')?)
    }
}

fn properties(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

fn required(schema: &Value) -> impl Iterator<Item = &str> {
    let required = schema.get("required").and_then(Value::as_array);
    required.into_iter().flatten().filter_map(Value::as_str)
}

fn has_keys(wanted: &Value, object: &Map<String, Value>) -> bool {
    wanted.as_array().is_none_or(|keys| {
        keys.iter().filter_map(Value::as_str).all(|key| object.contains_key(key))
    })
}

fn has_type(wanted: &Value, value: &Value) -> bool {
    match wanted {
        Value::Array(all) => all.iter().any(|one| has_type(one, value)),
        Value::String(word) => match word.as_str() {
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "null" => value.is_null(),
            "number" => value.is_number(),
            "integer" => value.is_i64() || value.is_u64(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => true,
        },
        _ => true,
    }
}
