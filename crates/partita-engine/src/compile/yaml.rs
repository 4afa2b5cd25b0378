//! Reads YAML text into a tree that knows the line of everything in it.
//!
//! Scalars follow YAML 1.2: `1`, `1.0`, `"1"` and `true` are four values, and `on`, `yes`, `010` and
//! `1_000` are text. Anchors, aliases and merge keys work within limits, so that a small file cannot
//! grow into a large one; an alias counts as written where it is used.

use std::fmt;

use partita_core::diagnostic::{Diagnostic, Location};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{NonFiniteFloatPolicy, Options, Spanned, UserMessageFormatter};

/// Containers that may lie within one another.
const MAX_DEPTH: usize = 32;
/// Values that a file may hold, with every alias replaced by what it stands for.
const MAX_NODES: usize = 100_000;

/// A value and the line it is used on.
pub(super) type Placed = Spanned<Value>;

/// A value as YAML can say it.
#[derive(Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Placed>),
    Mapping(Vec<(Placed, Placed)>),
}

impl Value {
    /// Returns what kind of value this is, in an author's words.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Mapping(_) => "keys and values",
        }
    }
}

/// Returns the value that `text`, the content of `file`, holds.
pub(super) fn read(file: &str, text: &str) -> Result<Value, Diagnostic> {
    serde_saphyr::from_str_with_options::<Placed>(text, options())
        .map(|placed| placed.value)
        .map_err(|error| {
            let location =
                error.location().map(|at| Location { file: file.to_owned(), line: at.line() });
            let message = error.without_snippet().render_with_formatter(&UserMessageFormatter);
            // The parser ends its messages with a place of its own, which the diagnostic has.
            let what = message.split(" at line ").next().unwrap_or(&message).trim_end_matches('.');
            let place = if location.is_some() { String::new() } else { format!(" `{file}`") };
            Diagnostic::new(format!("the configuration{place} is not valid YAML: {what}"))
                .help("mend the line, or the one above it")
                .at(location)
        })
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_documents: 1,
            max_total_scalar_bytes: 4 * 1024 * 1024,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_NODES },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Int(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut mapping = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            mapping.push(entry);
        }
        Ok(Value::Mapping(mapping))
    }
}
