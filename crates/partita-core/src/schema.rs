//! JSON Schemas of configurations and settings: what they accept, in values and in words.
//!
//! It follows what serde types and pydantic models are described with: types, enumerations,
//! constants, references, alternatives, bounds, nested lists and objects. Whatever else a schema
//! says, the flavor's own configuration class checks.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::literal::Literal;
use crate::name::nearest;

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
        Self { document, properties: document.get("properties").and_then(Value::as_object) }
    }

    /// Returns the keys, in the order of the document.
    pub fn keys(&self) -> Vec<Key> {
        let text = |schema: &Value, key: &str| {
            schema.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let required = self.required();
        let key = |(name, schema): (&String, &Value)| Key {
            name: name.clone(),
            expected: self.expected(schema, DEPTH),
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
    /// What is expected, in words.
    pub fn read(&self, key: &str, text: &str) -> Result<Literal, String> {
        let schema = self.property(key);
        let as_text = Value::String(text.to_owned());
        let as_json = serde_json::from_str::<Value>(text).ok();
        // Where text is wanted, `1` and `true` are text; `null` is still no text at all.
        let value = if self.accepts(schema, &as_text, DEPTH) && as_json != Some(Value::Null) {
            Some(as_text)
        } else {
            let mut readings = as_json.into_iter().chain([as_text]);
            readings.find(|value| self.accepts(schema, value, DEPTH))
        };
        let literal = value.and_then(|value| Literal::parse(&value.to_string()).ok());
        literal.ok_or_else(|| self.expected(schema, DEPTH))
    }

    /// Checks the value of a key.
    ///
    /// # Errors
    /// What is expected, in words.
    pub fn check(&self, key: &str, value: &Literal) -> Result<(), String> {
        let schema = self.property(key);
        let accepted = serde_json::from_str::<Value>(value.text())
            .is_ok_and(|value| self.accepts(schema, &value, DEPTH));
        if accepted { Ok(()) } else { Err(self.expected(schema, DEPTH)) }
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
            let expected = self.check(key, value).err()?;
            Some(format!("`{key}` is {expected}, not `{}`", value.text()))
        });
        missing.chain(wrong).collect()
    }

    fn property(&self, key: &str) -> &'a Value {
        let found = self.properties.and_then(|properties| properties.get(key));
        found.or_else(|| self.document.get("additionalProperties")).unwrap_or(&Value::Bool(true))
    }

    fn required(&self) -> Vec<&'a str> {
        let required = self.document.get("required").and_then(Value::as_array);
        required.map(|keys| keys.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
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

    /// Returns what a schema accepts, in words.
    fn expected(&self, schema: &Value, depth: usize) -> String {
        let Some(depth) = depth.checked_sub(1) else { return "a value".to_owned() };
        if let Some(referred) = schema.get("$ref").and_then(|reference| self.referred(reference)) {
            return self.expected(referred, depth);
        }
        if let Some(only) = schema.get("const") {
            return format!("`{}`", plain(only));
        }
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            return either(words.iter().map(|word| format!("`{}`", plain(word))));
        }
        for key in ["anyOf", "oneOf", "allOf"] {
            if let Some(all) = schema.get(key).and_then(Value::as_array) {
                return either(all.iter().map(|one| self.expected(one, depth)));
            }
        }
        match schema.get("type") {
            Some(Value::String(word)) => type_words(word, schema).to_owned(),
            Some(Value::Array(all)) => {
                let words = all.iter().filter_map(Value::as_str);
                either(words.map(|word| type_words(word, schema).to_owned()))
            }
            _ => "a value".to_owned(),
        }
    }
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

/// Returns a type of a schema in words.
fn type_words<'w>(word: &'w str, schema: &Value) -> &'w str {
    let is_of_texts = schema.pointer("/items/type").and_then(Value::as_str) == Some("string");
    match word {
        "string" => "text",
        "boolean" => "`true` or `false`",
        "null" => "`null`",
        "number" => "a number",
        "integer" => "a whole number",
        "array" if is_of_texts => "a list such as `[\"a\", \"b\"]`",
        "array" => "a list such as `[1, 2]`",
        "object" => "an object such as `{\"key\": 1}`",
        other => other,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn either(words: impl Iterator<Item = String>) -> String {
    let mut words: Vec<String> = words.collect();
    words.dedup();
    match words.pop() {
        Some(last) if words.is_empty() => last,
        Some(last) => format!("{} or {last}", words.join(", ")),
        None => "a value".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document() -> Value {
        json!({
            "properties": {
                "queue": { "type": "string" },
                "path": { "type": ["string", "null"] },
                "nodes": { "anyOf": [{ "type": "integer", "minimum": 1 }, { "type": "null" }] },
                "mode": { "$ref": "#/$defs/Mode" },
                "limits": { "type": "object", "additionalProperties": { "type": "number" } },
                "fast": { "type": "boolean" },
                "gpus": { "type": ["array", "null"], "items": { "type": "string" } }
            },
            "$defs": { "Mode": { "oneOf": [{ "const": "safe" }, { "const": "quick" }] } },
            "required": ["queue"],
            "additionalProperties": false
        })
    }

    fn check(key: &str, text: &str, expected: Result<&str, &str>) {
        let document = document();
        let read = Schema::of(&document).read(key, text);
        match (read, expected) {
            (Ok(value), Ok(literal)) => assert_eq!(value.text(), literal),
            (Err(words), Err(part)) => assert!(words.contains(part), "{words}"),
            (read, _) => panic!("`{key}={text}` was read as {read:?}"),
        }
    }

    #[test]
    fn values_get_the_type_that_the_schema_wants() {
        check("queue", "5", Ok("\"5\""));
        check("queue", "a b", Ok("\"a b\""));
        check("path", "null", Ok("null"));
        check("path", "/data", Ok("\"/data\""));
        check("nodes", "3", Ok("3"));
        check("mode", "safe", Ok("\"safe\""));
        check("limits", r#"{"cpu": 4}"#, Ok(r#"{"cpu":4}"#));
        check("fast", "false", Ok("false"));
    }

    #[test]
    fn wrong_values_are_refused_with_what_is_expected() {
        check("nodes", "0", Err("a whole number or `null`"));
        check("mode", "sage", Err("`safe` or `quick`"));
        check("limits", r#"{"cpu": "4"}"#, Err("an object"));
        check("fast", "maybe", Err("`true` or `false`"));
        check("gpus", "[0]", Err("a list such as `[\"a\", \"b\"]` or `null`"));
    }

    #[test]
    fn problems_name_keys_that_are_wrong_unknown_or_missing() {
        let document = document();
        let value = |text: &str| Literal::parse(text).expect("JSON");
        let values = BTreeMap::from([
            ("fsat".to_owned(), value("true")),
            ("nodes".to_owned(), value("0")),
            ("fast".to_owned(), value("false")),
        ]);
        assert_eq!(
            Schema::of(&document).problems(&values),
            [
                "`queue` is missing",
                "there is no key `fsat`; did you mean `fast`?",
                "`nodes` is a whole number or `null`, not `0`",
            ]
        );
        let open = json!({ "additionalProperties": { "type": "integer" } });
        let problems = Schema::of(&open).problems(&values);
        assert_eq!(problems.len(), 2, "{problems:?}");
    }
}
