//! What schemas accept, in words.

use serde_json::Value;

use super::Schema;

/// Says what parts of a schema accept.
pub(super) struct Words<'s, 'a>(pub(super) &'s Schema<'a>);

impl Words<'_, '_> {
    /// Returns what a schema accepts; after so many references, no more than that it is a value.
    pub(super) fn expected(&self, schema: &Value, depth: usize) -> String {
        let Some(depth) = depth.checked_sub(1) else { return "a value".to_owned() };
        if let Some(referred) = schema.get("$ref").and_then(|reference| self.0.referred(reference))
        {
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
            Some(Value::String(word)) => self.of_type(word, schema),
            Some(Value::Array(all)) => {
                let words = all.iter().filter_map(Value::as_str);
                either(words.map(|word| self.of_type(word, schema)))
            }
            _ => "a value".to_owned(),
        }
    }

    /// Returns a type of a schema in words.
    fn of_type(&self, word: &str, schema: &Value) -> String {
        match word {
            "string" => "text".to_owned(),
            "boolean" => "`true` or `false`".to_owned(),
            "null" => "`null`".to_owned(),
            "number" => format!("a number{}", bounds(schema)),
            "integer" => format!("a whole number{}", bounds(schema)),
            "array" => format!("a list such as `[{}]`", self.some_items(schema)),
            "object" => "an object such as `{\"key\": 1}`".to_owned(),
            other => other.to_owned(),
        }
    }

    /// Returns what a list may have, as an example.
    fn some_items(&self, schema: &Value) -> String {
        let items = schema.get("items").unwrap_or(&Value::Null);
        let items = items.get("$ref").and_then(|it| self.0.referred(it)).unwrap_or(items);
        let among = |key: &str| items.get(key).and_then(Value::as_array).into_iter().flatten();
        let consts = among("oneOf").chain(among("anyOf")).filter_map(|one| one.get("const"));
        let words: Vec<String> =
            among("enum").chain(consts).take(2).map(Value::to_string).collect();
        match items.get("type").and_then(Value::as_str) {
            _ if !words.is_empty() => words.join(", "),
            Some("string") => r#""a", "b""#.to_owned(),
            Some("boolean") => "true, false".to_owned(),
            Some("object") => r#"{"key": 1}"#.to_owned(),
            Some("array") => "[1, 2]".to_owned(),
            _ => "1, 2".to_owned(),
        }
    }
}

/// Returns the bounds of a number, as they follow it.
fn bounds(schema: &Value) -> String {
    let bound = |key: &str| schema.get(key).filter(|bound| bound.is_number());
    if let (Some(least), Some(most)) = (bound("minimum"), bound("maximum")) {
        return format!(" from {least} to {most}");
    }
    let bounds = [
        ("minimum", "of at least"),
        ("exclusiveMinimum", "above"),
        ("maximum", "of at most"),
        ("exclusiveMaximum", "below"),
    ];
    let said: Vec<String> = bounds
        .iter()
        .filter_map(|(key, words)| Some(format!(" {words} {}", bound(key)?)))
        .collect();
    said.join(" and")
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
