//! Values as people read them: what JSON cannot say is written much as its author would write it.

use std::fmt::{self, Formatter};

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::literal::Literal;

/// What JSON cannot say.
#[derive(Deserialize)]
struct Tagged<'j> {
    #[serde(rename = "$partita")]
    kind: String,
    #[serde(borrow)]
    value: &'j RawValue,
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        show(self.text(), f)
    }
}

fn show(text: &str, f: &mut Formatter<'_>) -> fmt::Result {
    if !text.contains(r#""$partita""#) {
        return f.write_str(text);
    }
    if let Ok(Tagged { kind, value }) = serde_json::from_str(text) {
        return show_tagged(&kind, value.get(), text, f);
    }
    if let Some(items) = items(text) {
        return series("[", &items, "]", f);
    }
    match serde_json::from_str::<IndexMap<String, &RawValue>>(text) {
        Ok(entries) => mapping(entries.iter().map(|(key, value)| (format!("{key:?}"), *value)), f),
        Err(_) => f.write_str(text),
    }
}

fn show_tagged(kind: &str, value: &str, text: &str, f: &mut Formatter<'_>) -> fmt::Result {
    match (kind, items(value)) {
        ("tuple", Some(items)) => series("(", &items, if items.len() == 1 { ",)" } else { ")" }, f),
        ("set", Some(items)) if items.is_empty() => f.write_str("set()"),
        ("set", Some(items)) => series("{", &items, "}", f),
        ("frozenset", Some(items)) => series("frozenset([", &items, "])", f),
        ("dict", _) => match serde_json::from_str::<Vec<(&RawValue, &RawValue)>>(value) {
            Ok(pairs) => mapping(pairs.into_iter().map(|(key, value)| (Part(key), value)), f),
            Err(_) => f.write_str(text),
        },
        ("float", _) => f.write_str(value.trim_matches('"')),
        ("bytes", _) => write!(f, "bytes({value})"),
        _ => f.write_str(text),
    }
}

/// A value inside another one.
struct Part<'j>(&'j RawValue);

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        show(self.0.get(), f)
    }
}

fn items(text: &str) -> Option<Vec<&RawValue>> {
    serde_json::from_str(text).ok()
}

fn series(open: &str, items: &[&RawValue], close: &str, f: &mut Formatter<'_>) -> fmt::Result {
    f.write_str(open)?;
    for (index, item) in items.iter().enumerate() {
        f.write_str(if index > 0 { ", " } else { "" })?;
        show(item.get(), f)?;
    }
    f.write_str(close)
}

fn mapping<'j, K: fmt::Display>(
    entries: impl Iterator<Item = (K, &'j RawValue)>,
    f: &mut Formatter<'_>,
) -> fmt::Result {
    f.write_str("{")?;
    for (index, (key, value)) in entries.enumerate() {
        write!(f, "{}{key}: {}", if index > 0 { ", " } else { "" }, Part(value))?;
    }
    f.write_str("}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shown: &str) {
        assert_eq!(Literal::parse(text).expect("JSON").to_string(), shown);
    }

    #[test]
    fn values_that_json_cannot_say_are_shown_as_their_author_writes_them() {
        check(r#"{"$partita":"tuple","value":[1,"a"]}"#, r#"(1, "a")"#);
        check(r#"{"$partita":"tuple","value":[{"$partita":"tuple","value":[]}]}"#, "((),)");
        check(r#"{"$partita":"set","value":[]}"#, "set()");
        check(r#"{"$partita":"set","value":[1,2]}"#, "{1, 2}");
        check(r#"{"$partita":"frozenset","value":[1]}"#, "frozenset([1])");
        check(r#"{"$partita":"dict","value":[[1,[2]],[null,3]]}"#, "{1: [2], null: 3}");
        check(r#"[{"a":{"$partita":"float","value":"nan"}},0.5]"#, r#"[{"a": nan}, 0.5]"#);
        check(r#"{"$partita":"bytes","value":"MQ=="}"#, r#"bytes("MQ==")"#);
    }

    #[test]
    fn all_other_values_are_shown_as_json_writes_them() {
        for text in [r#"{"a":[1,2.0,null,"\u001b"]}"#, r#"{"$partita":"other","value":1}"#, "7"] {
            check(text, text);
        }
    }
}
