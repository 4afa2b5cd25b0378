//! YAML of values that are known as JSON text: also of numbers and of text that Rust has no type for.

use indexmap::IndexMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Returns a document as YAML with a line break at its end.
///
/// An integer of more than 38 digits, and text that UTF-8 cannot hold, is text as JSON writes it.
///
/// # Errors
/// If the document holds something that JSON cannot say.
pub(crate) fn encode<T: Serialize + ?Sized>(document: &T) -> Result<String, String> {
    // Literals are JSON text, which only the JSON writer can embed.
    let json = serde_json::value::to_raw_value(document).map_err(|error| error.to_string())?;
    let mut text = serde_saphyr::to_string(&Node(&json)).map_err(|error| error.to_string())?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

/// A JSON value.
struct Node<'j>(&'j RawValue);

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.get();
        match text.as_bytes().first() {
            Some(b'{') => match serde_json::from_str::<IndexMap<String, &RawValue>>(text) {
                Ok(items) => {
                    serializer.collect_map(items.iter().map(|(key, value)| (key, Node(value))))
                }
                Err(_) => serializer.serialize_str(text),
            },
            Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(text) {
                Ok(items) => serializer.collect_seq(items.into_iter().map(Node)),
                Err(_) => serializer.serialize_str(text),
            },
            Some(b'"') => match serde_json::from_str::<String>(text) {
                Ok(string) => serializer.serialize_str(&string),
                Err(_) => serializer.serialize_str(text),
            },
            Some(b'n') => serializer.serialize_unit(),
            Some(first @ (b't' | b'f')) => serializer.serialize_bool(*first == b't'),
            _ => number(text, serializer),
        }
    }
}

fn number<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    if let Ok(number) = text.parse::<i64>() {
        return serializer.serialize_i64(number);
    }
    if let Ok(number) = text.parse::<i128>() {
        return serializer.serialize_i128(number);
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && text.contains(['.', 'e', 'E']) => {
            serializer.serialize_f64(number)
        }
        _ => serializer.serialize_str(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, expected: &str) {
        let value: &RawValue = serde_json::from_str(json).expect("JSON");
        assert_eq!(encode(&value).as_deref(), Ok(expected), "{json}");
    }

    #[test]
    fn values_stay_what_they_are() {
        check(r#"{"b":1,"a":[true,null,-2.5,1.0]}"#, "b: 1\na:\n- true\n- null\n- -2.5\n- 1.0\n");
        check(r#"{"":{},"x":[]}"#, "\"\": {}\nx: []\n");
        check(r#"["1","true","é"]"#, "- \"1\"\n- \"true\"\n- é\n");
    }

    #[test]
    fn numbers_keep_every_digit() {
        check("18446744073709551616", "18446744073709551616\n");
        let digits = "9".repeat(400);
        check(&digits, &format!("\"{digits}\"\n"));
        check("-1e400", "\"-1e400\"\n");
    }

    #[test]
    fn text_that_utf_8_cannot_hold_is_told_as_json_writes_it() {
        check(r#"["\ud800"]"#, "- \"\\\"\\\\ud800\\\"\"\n");
        check(r#"[{"\ud800":1}]"#, "- \"{\\\"\\\\ud800\\\":1}\"\n");
    }
}
