//! What is wrong with a schema itself, so that one that says nothing, or nothing that can be meant,
//! is refused where it comes from.

use serde_json::Value;

use super::{DEPTH, Schema};

/// The words of `type`.
pub(super) const TYPES: [&str; 7] =
    ["string", "boolean", "null", "number", "integer", "array", "object"];

impl Schema<'_> {
    /// Returns the first thing that is wrong with the schema itself, as a sentence.
    pub fn fault(&self) -> Option<String> {
        let object = "it describes no object with keys: its `type` is";
        match self.document.get("type") {
            None => {}
            Some(Value::String(word)) if word == "object" => {}
            Some(other) => return Some(format!("{object} `{other}`, and must be `\"object\"`")),
        }
        self.fault_in(self.document, "#")
    }

    fn fault_in(&self, schema: &Value, path: &str) -> Option<String> {
        let Some(rules) = schema.as_object() else {
            let is_schema = schema.is_boolean();
            return (!is_schema).then(|| format!("`{path}` is no schema: it must be an object"));
        };
        rules.iter().find_map(|(rule, wanted)| {
            let path = format!("{path}/{rule}");
            match rule.as_str() {
                "$ref" => self.fault_of_reference(wanted, &path),
                "type" => fault_of_type(wanted, &path),
                "enum" => (!wanted.is_array()).then(|| format!("`{path}` must be a list")),
                "anyOf" | "oneOf" | "allOf" => self.fault_in_list(wanted, &path),
                "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
                    (!wanted.is_number()).then(|| format!("`{path}` must be a number"))
                }
                "items" if wanted.is_array() => self.fault_in_list(wanted, &path),
                "items" | "additionalProperties" => self.fault_in(wanted, &path),
                "properties" | "$defs" | "definitions" => match wanted.as_object() {
                    Some(all) => all
                        .iter()
                        .find_map(|(key, one)| self.fault_in(one, &format!("{path}/{key}"))),
                    None => Some(format!("`{path}` must be an object of schemas")),
                },
                "required" => {
                    let is_list =
                        wanted.as_array().is_some_and(|keys| keys.iter().all(Value::is_string));
                    (!is_list).then(|| format!("`{path}` must be a list of keys"))
                }
                _ => None,
            }
        })
    }

    fn fault_in_list(&self, schemas: &Value, path: &str) -> Option<String> {
        let Some(all) = schemas.as_array().filter(|all| !all.is_empty()) else {
            return Some(format!("`{path}` must be a list of schemas"));
        };
        let mut all = all.iter().enumerate();
        all.find_map(|(at, one)| self.fault_in(one, &format!("{path}/{at}")))
    }

    fn fault_of_reference(&self, reference: &Value, path: &str) -> Option<String> {
        let mut next = reference;
        for _ in 0..DEPTH {
            let Some(referred) = self.referred(next) else {
                return Some(format!(
                    "`{path}` refers to `{}`, and there is no such place in the schema",
                    reference.as_str().unwrap_or_default()
                ));
            };
            match referred.get("$ref") {
                Some(further) => next = further,
                None => return None,
            }
        }
        Some(format!("`{path}` leads round in a circle"))
    }
}

fn fault_of_type(wanted: &Value, path: &str) -> Option<String> {
    let words = match wanted {
        Value::Array(all) if !all.is_empty() => all.as_slice(),
        one => std::slice::from_ref(one),
    };
    let unknown = words.iter().find(|word| !word.as_str().is_some_and(|it| TYPES.contains(&it)))?;
    Some(format!("`{path}` is `{unknown}`, and there is no such type"))
}
