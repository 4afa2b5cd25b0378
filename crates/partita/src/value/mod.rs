//! The `json` format, in which values pass from step to step in all languages.
//!
//! It is UTF-8 JSON. What JSON cannot say is an object with the key `$partita`, which names the kind,
//! and `value`. In Rust:
//!
//! | serde | written as |
//! |---|---|
//! | tuples, arrays, tuple structs | `{"$partita": "tuple", "value": […]}` |
//! | bytes | `{"$partita": "bytes", "value": BASE64}` |
//! | NaN and infinities | `{"$partita": "float", "value": "nan"}`, `"inf"`, `"-inf"` |
//! | maps with keys that are not text | `{"$partita": "dict", "value": [[KEY, VALUE], …]}` |
//!
//! Everything else is what JSON says: structs are objects, `Option` is `null` or the value, variants
//! of enumerations are their names, or objects with their name as the only key.

mod decode;
mod encode;

use serde::Serialize;
use serde::de::DeserializeOwned;

use partita_core::literal::Literal;

/// Key that marks an object as something JSON cannot say.
const TAG: &str = "$partita";

/// Key of what it is.
const VALUE: &str = "value";

/// Levels of collections that a value may have.
const MAX_DEPTH: usize = 200;

/// Why a value cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(String);

impl ValueError {
    /// Returns the error that says this.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl serde::ser::Error for ValueError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// Returns the bytes of a value in the `json` format.
///
/// # Errors
/// If serde cannot say it, or it is nested too deep.
///
/// ```
/// assert_eq!(partita::value::encode(&(1, 0.5)).unwrap(), br#"{"$partita":"tuple","value":[1,0.5]}"#);
/// ```
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, ValueError> {
    let mut out = Vec::new();
    value.serialize(encode::Encoder::new(&mut out))?;
    Ok(out)
}

/// Returns the value that bytes of the `json` format stand for.
///
/// # Errors
/// If they stand for none of this type.
///
/// ```
/// let read: (u8, f64) = partita::value::decode(br#"{"$partita":"tuple","value":[1,0.5]}"#).unwrap();
/// assert_eq!(read, (1, 0.5));
/// ```
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ValueError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    // What is tagged takes several levels here for one of the value.
    let value = T::deserialize(decode::Tagged(&mut json));
    let value = value.map_err(|error| ValueError(error.to_string()))?;
    json.end().map_err(|error| ValueError(error.to_string()))?;
    Ok(value)
}

/// Returns a value as documents hold it.
pub(crate) fn literal<T: Serialize + ?Sized>(value: &T) -> Result<Literal, ValueError> {
    let text = String::from_utf8(encode(value)?).map_err(|error| ValueError(error.to_string()))?;
    Literal::parse(&text).map_err(|error| ValueError(error.to_string()))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
