//! Reads configuration values as a flavor's JSON Schema wants them.
//!
//! It follows what serde types and pydantic models are described with: types, enumerations,
//! constants, references, alternatives, bounds, nested lists and objects. Whatever else a schema
//! says, the flavor's own configuration class checks.

use std::collections::BTreeMap;

use partita_core::literal::Literal;
use partita_core::name::nearest;
use partita_core::stack::Flavor;
use serde_json::{Map, Value};

use super::Configuration;
use crate::error::CommandError;

/// References that may follow one another.
const DEPTH: usize = 32;

/// The schema of a flavor's configuration.
pub(super) struct Schema<'a> {
    flavor: &'a Flavor,
    properties: Map<String, Value>,
}

/// A key of a configuration, for people.
pub(super) struct Key {
    pub(super) name: String,
    pub(super) expected: String,
    pub(super) default: String,
    pub(super) description: String,
}

impl<'a> Schema<'a> {
    pub(super) fn of(flavor: &'a Flavor) -> Self {
        let properties = flavor.config_schema.get("properties").and_then(Value::as_object);
        Self { flavor, properties: properties.cloned().unwrap_or_default() }
    }

    /// Returns the keys, by name.
    pub(super) fn keys(&self) -> Vec<Key> {
        let text = |schema: &Value, key: &str| {
            schema.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let key = |(name, schema): (&String, &Value)| Key {
            name: name.clone(),
            expected: self.expected(schema, DEPTH),
            default: match schema.get("default") {
                Some(default) => default.to_string(),
                None if self.required().contains(&name.as_str()) => "(required)".to_owned(),
                None => String::new(),
            },
            description: text(schema, "description").replace('\n', " "),
        };
        self.properties.iter().map(key).collect()
    }

    /// Returns the typed values of what was given.
    pub(super) fn configure(
        &self,
        given: &Configuration,
    ) -> Result<BTreeMap<String, Literal>, CommandError> {
        let mut config = BTreeMap::new();
        for (key, text) in given {
            self.check_key(key)?;
            let schema = self.properties.get(key).unwrap_or(&Value::Bool(true));
            let value = self.read(schema, text).map_err(|expected| {
                let shown: String = text.chars().take(80).collect();
                CommandError::usage(format!("`--{key}={shown}` is wrong: `{key}` is {expected}"))
                    .help(self.look())
            })?;
            let literal = Literal::parse(&value.to_string()).map_err(CommandError::bug)?;
            config.insert(key.clone(), literal);
        }
        Ok(config)
    }

    /// Checks that a key is one of the flavor's.
    pub(super) fn check_key(&self, key: &str) -> Result<(), CommandError> {
        let is_open = self
            .flavor
            .config_schema
            .get("additionalProperties")
            .is_some_and(|more| more != &Value::Bool(false));
        if self.properties.contains_key(key) || is_open {
            return Ok(());
        }
        let meant = match nearest(key, self.properties.keys().map(String::as_str)) {
            Some(meant) => format!("; did you mean `--{meant}`?"),
            None if self.properties.is_empty() => "; it has none".to_owned(),
            None => format!("; its keys are {}", listed(self.properties.keys())),
        };
        let kind = self.flavor.component_type;
        Err(CommandError::usage(format!(
            "the {kind} flavor `{}` has no key `{key}`{meant}",
            self.flavor.name
        ))
        .help(self.look()))
    }

    /// Checks that no key is missing that the flavor needs.
    pub(super) fn check_required(
        &self,
        config: &BTreeMap<String, Literal>,
    ) -> Result<(), CommandError> {
        let missing: Vec<String> = self
            .required()
            .into_iter()
            .filter(|key| !config.contains_key(*key))
            .map(|key| format!("`--{key}=VALUE`"))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let kind = self.flavor.component_type;
        let flavor = &self.flavor.name;
        Err(CommandError::usage(format!(
            "the {kind} flavor `{flavor}` needs {}",
            missing.join(" and ")
        ))
        .help(self.look()))
    }

    fn look(&self) -> String {
        format!(
            "`partita {} flavor describe {}` shows the keys",
            self.flavor.component_type.verb(),
            self.flavor.name
        )
    }

    fn required(&self) -> Vec<&str> {
        let required = self.flavor.config_schema.get("required").and_then(Value::as_array);
        required.map(|keys| keys.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
    }

    /// Reads a typed value: as JSON where that fits, else as text. Fails with what is expected.
    fn read(&self, schema: &Value, text: &str) -> Result<Value, String> {
        let as_text = Value::String(text.to_owned());
        let as_json = serde_json::from_str::<Value>(text).ok();
        // Where text is wanted, `1` and `true` are text; `null` is still no text at all.
        if self.accepts(schema, &as_text, DEPTH) && as_json != Some(Value::Null) {
            return Ok(as_text);
        }
        as_json
            .into_iter()
            .chain([as_text])
            .find(|value| self.accepts(schema, value, DEPTH))
            .ok_or_else(|| self.expected(schema, DEPTH))
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
        self.flavor.config_schema.pointer(reference.as_str()?.strip_prefix('#')?)
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
            Some(Value::String(word)) => type_words(word).to_owned(),
            Some(Value::Array(all)) => {
                either(all.iter().filter_map(Value::as_str).map(|word| type_words(word).to_owned()))
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

fn type_words(word: &str) -> &str {
    match word {
        "string" => "text",
        "boolean" => "`true` or `false`",
        "null" => "`null`",
        "number" => "a number",
        "integer" => "a whole number",
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

fn listed<'a>(keys: impl Iterator<Item = &'a String>) -> String {
    keys.map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_core::stack::ComponentType;

    fn flavor() -> Flavor {
        let schema = r##"{
            "properties": {
                "queue": { "type": "string" },
                "path": { "type": ["string", "null"] },
                "nodes": { "anyOf": [{ "type": "integer", "minimum": 1 }, { "type": "null" }] },
                "mode": { "$ref": "#/$defs/Mode" },
                "limits": { "type": "object", "additionalProperties": { "type": "number" } },
                "fast": { "type": "boolean" }
            },
            "$defs": { "Mode": { "oneOf": [{ "const": "safe" }, { "const": "quick" }] } },
            "required": ["queue"],
            "additionalProperties": false
        }"##;
        Flavor {
            name: "slow".to_owned(),
            component_type: ComponentType::Orchestrator,
            description: String::new(),
            source: "built-in".to_owned(),
            config_schema: serde_json::from_str(schema).expect("a schema"),
            plugin: None,
        }
    }

    fn check(key: &str, text: &str, expected: Result<&str, &str>) {
        let flavor = flavor();
        let read = Schema::of(&flavor).configure(&vec![(key.to_owned(), text.to_owned())]);
        match (read, expected) {
            (Ok(config), Ok(literal)) => assert_eq!(config[key].text(), literal),
            (Err(CommandError::Failed { message, .. }), Err(part)) => {
                assert!(message.contains(part), "{message}")
            }
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
    fn wrong_values_and_unknown_keys_are_refused_with_what_is_meant() {
        check("nodes", "0", Err("a whole number or `null`"));
        check("mode", "sage", Err("`safe` or `quick`"));
        check("limits", r#"{"cpu": "4"}"#, Err("an object"));
        check("fast", "maybe", Err("`true` or `false`"));
        check("quue", "x", Err("did you mean `--queue`?"));
        check("zzzzzzzz", "x", Err("its keys are `queue`, `path`"));
    }

    #[test]
    fn missing_keys_are_named() {
        let flavor = flavor();
        let missing = Schema::of(&flavor).check_required(&BTreeMap::new());
        assert!(
            matches!(missing, Err(CommandError::Failed { message, .. }) if message.contains("`--queue=VALUE`"))
        );
    }
}
