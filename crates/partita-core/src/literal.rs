//! Values written down in documents: parameters and small artifacts.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A value as compact JSON text, kept as written so that `1`, `1.0`, `"1"` and `true` differ.
///
/// What JSON cannot say (tuples, bytes, NaN, integer keys) is a tagged object
/// `{"$partita": KIND, "value": …}`; the SDKs write and read it.
#[derive(Clone)]
pub struct Literal(Box<RawValue>);

impl Literal {
    /// Returns the literal for JSON `text`, without its insignificant white space.
    ///
    /// # Errors
    /// If `text` is not one JSON value.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let raw = RawValue::from_string(text.to_owned())?;
        Self::compacted(raw)
    }

    /// Returns the JSON text.
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// Returns which kind of value this is, as its author would name it.
    pub fn kind(&self) -> Kind {
        let text = self.text();
        match text.as_bytes().first() {
            Some(b'n') => Kind::None,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'"') => Kind::Str,
            Some(b'[') => Kind::List,
            Some(b'{') => Kind::of_object(text),
            _ if text.contains(['.', 'e', 'E']) => Kind::Float,
            _ => Kind::Int,
        }
    }

    /// Returns the items of a list or a tuple, or `None` for any other kind.
    pub fn items(&self) -> Option<Vec<Self>> {
        #[derive(Deserialize)]
        struct Tagged {
            value: Vec<Box<RawValue>>,
        }
        let text = self.text();
        let items = match self.kind() {
            Kind::List => serde_json::from_str(text).ok()?,
            Kind::Tuple => serde_json::from_str::<Tagged>(text).ok()?.value,
            _ => return None,
        };
        Some(items.into_iter().map(Self).collect())
    }

    /// Returns the list of these literals.
    ///
    /// # Errors
    /// If that is no JSON, which no list of literals is.
    pub fn list<'a>(items: impl Iterator<Item = &'a Self>) -> Result<Self, serde_json::Error> {
        let mut text = String::from("[");
        for (index, item) in items.enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(item.text());
        }
        text.push(']');
        RawValue::from_string(text).map(Self)
    }

    fn compacted(raw: Box<RawValue>) -> Result<Self, serde_json::Error> {
        let text = raw.get();
        if !has_white_space(text) {
            return Ok(Self(raw));
        }
        let mut compact = String::with_capacity(text.len());
        let (mut in_string, mut escaped) = (false, false);
        for c in text.chars() {
            if in_string {
                in_string = escaped || c != '"';
                escaped = !escaped && c == '\\';
            } else if c.is_ascii_whitespace() {
                continue;
            } else {
                in_string = c == '"';
            }
            compact.push(c);
        }
        RawValue::from_string(compact).map(Self)
    }
}

/// The kinds of value that a literal can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`.
    None,
    /// `true` or `false`.
    Bool,
    /// A number without fraction or exponent.
    Int,
    /// A number with fraction or exponent, NaN or an infinity.
    Float,
    /// Text.
    Str,
    /// An array.
    List,
    /// An object, or a mapping with keys that are not text.
    Dict,
    /// A tagged tuple.
    Tuple,
    /// Tagged bytes.
    Bytes,
    /// A tagged value of another kind.
    Other,
}

impl Kind {
    fn of_object(text: &str) -> Self {
        let Some(rest) = text.strip_prefix(r#"{"$partita":""#) else {
            return Self::Dict;
        };
        match rest.split('"').next() {
            Some("tuple") => Self::Tuple,
            Some("bytes") => Self::Bytes,
            Some("float") => Self::Float,
            Some("int") => Self::Int,
            Some("str") => Self::Str,
            Some("dict") => Self::Dict,
            _ => Self::Other,
        }
    }

    /// Returns the kind of the values of a scalar type, by what documents call that.
    pub fn of_type(type_name: &str) -> Option<Self> {
        match type_name.strip_prefix("builtins.").unwrap_or(type_name) {
            "bool" => Some(Self::Bool),
            "int" => Some(Self::Int),
            "float" => Some(Self::Float),
            "str" => Some(Self::Str),
            _ => None,
        }
    }

    /// Returns the name of the kind in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Str => "str",
            Self::List => "list",
            Self::Dict => "dict",
            Self::Tuple => "tuple",
            Self::Bytes => "bytes",
            Self::Other => "value",
        }
    }
}

fn has_white_space(text: &str) -> bool {
    text.bytes().any(|b| b.is_ascii_whitespace())
}

impl PartialEq for Literal {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl fmt::Debug for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Serialize for Literal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::compacted(raw).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Literal {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Literal".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Any JSON value; what JSON cannot say is {\"$partita\": kind, \"value\": …}."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, compact: &str, kind: Kind) {
        let literal = Literal::parse(text).expect("valid JSON");
        assert_eq!((literal.text(), literal.kind()), (compact, kind));
    }

    #[test]
    fn lists_and_tuples_are_taken_apart_and_put_together() {
        let check = |text: &str, expected: Option<&[&str]>| {
            let items = Literal::parse(text).expect("valid JSON").items();
            let texts: Option<Vec<&str>> =
                items.as_ref().map(|items| items.iter().map(Literal::text).collect());
            assert_eq!(texts.as_deref(), expected, "{text}");
            if let Some(items) = items {
                let again = Literal::list(items.iter()).expect("a list");
                assert_eq!(again.items(), Some(items));
            }
        };
        check("[]", Some(&[]));
        check(
            r#"[1, "a, b", [2, 3], {"c": null}]"#,
            Some(&["1", r#""a, b""#, "[2,3]", r#"{"c":null}"#]),
        );
        check(r#"{"$partita": "tuple", "value": [1, 2]}"#, Some(&["1", "2"]));
        check(r#"{"a": [1]}"#, None);
        check(r#""[1]""#, None);
    }

    #[test]
    fn white_space_outside_strings_is_dropped_and_kinds_are_told_apart() {
        check("null", "null", Kind::None);
        check("1", "1", Kind::Int);
        check("1.0", "1.0", Kind::Float);
        check("123456789012345678901234567890", "123456789012345678901234567890", Kind::Int);
        check(r#""a b\" c""#, r#""a b\" c""#, Kind::Str);
        check(r#"[1, "x  y\\", {"a": 2}]"#, r#"[1,"x  y\\",{"a":2}]"#, Kind::List);
        check(
            r#"{ "$partita": "tuple", "value": [1] }"#,
            r#"{"$partita":"tuple","value":[1]}"#,
            Kind::Tuple,
        );
    }
}
