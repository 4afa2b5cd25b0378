//! What the index keeps of a step's result, as JSON: everything but values.

use std::borrow::Cow;
use std::collections::BTreeMap;

use partita_core::artifact::ArtifactVersion;
use partita_core::digest::Digest;
use partita_core::literal::Literal;
use partita_core::run::{InputReference, StepResult};
use partita_core::time::Timestamp;
use rusqlite::Row;
use rusqlite::types::Type;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Serialize};

/// A step's result without values.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record<'a> {
    pub(super) started_at: i64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) inputs: Cow<'a, BTreeMap<String, InputReference>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) outputs: Vec<(Cow<'a, str>, Version<'a>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cache_reason: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cached_from: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) metadata: Cow<'a, BTreeMap<String, Literal>>,
}

/// An artifact version without its value.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Version<'a> {
    pub(super) artifact: Cow<'a, str>,
    pub(super) id: Cow<'a, str>,
    #[serde(rename = "type")]
    pub(super) type_name: Cow<'a, str>,
    pub(super) format: Cow<'a, str>,
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// Whether its value lives in the commit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) inlined: bool,
    /// Whether it lists other versions, which the commit names.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) listed: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) metadata: Cow<'a, BTreeMap<String, Literal>>,
}

impl<'a> Record<'a> {
    pub(super) fn of(result: &'a StepResult) -> Self {
        let outputs = result
            .outputs
            .iter()
            .map(|(name, version)| (Cow::from(name.as_str()), Version::of(version)));
        Self {
            started_at: result.started_at.0,
            inputs: Cow::Borrowed(&result.inputs),
            outputs: outputs.collect(),
            cache_reason: result.cache_reason.as_deref().map(Cow::from),
            cached_from: result.cached_from.as_deref().map(Cow::from),
            metadata: Cow::Borrowed(&result.metadata),
        }
    }
}

impl<'a> Version<'a> {
    fn of(version: &'a ArtifactVersion) -> Self {
        Self {
            artifact: Cow::from(&version.artifact),
            id: Cow::from(&version.id),
            type_name: Cow::from(&version.type_name),
            format: Cow::from(&version.format),
            digest: version.digest,
            size: version.size,
            inlined: version.value.is_some(),
            listed: version.items.is_some(),
            metadata: Cow::Borrowed(&version.metadata),
        }
    }
}

/// Returns `value` as JSON text.
pub(super) fn json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// Returns the value in a column of JSON text.
pub(super) fn column<T: DeserializeOwned>(row: &Row<'_>, index: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(index)?.as_str().map_err(|error| unreadable(index, error))?;
    serde_json::from_str(text).map_err(|error| unreadable(index, error))
}

/// Returns the value in a column of JSON text, if there is one.
pub(super) fn optional<T: DeserializeOwned>(
    row: &Row<'_>,
    index: usize,
) -> rusqlite::Result<Option<T>> {
    let text = row.get_ref(index)?.as_str_or_null().map_err(|error| unreadable(index, error))?;
    text.map(serde_json::from_str).transpose().map_err(|error| unreadable(index, error))
}

/// Returns the word in a column.
pub(super) fn word<T: DeserializeOwned>(row: &Row<'_>, index: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(index)?.as_str().map_err(|error| unreadable(index, error))?;
    let text: StrDeserializer<'_, serde::de::value::Error> = text.into_deserializer();
    T::deserialize(text).map_err(|error| unreadable(index, error))
}

/// Returns the position in a column.
pub(super) fn position(row: &Row<'_>, index: usize) -> rusqlite::Result<usize> {
    Ok(row.get::<_, u32>(index)? as usize)
}

/// Returns the item in a column, or `None` if that says that it is a step itself.
pub(super) fn item(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<u32>> {
    Ok(u32::try_from(row.get::<_, i64>(index)?).ok())
}

/// Returns the time in a column, if there is one.
pub(super) fn time(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(index)?.map(Timestamp))
}

fn unreadable<E: std::error::Error + Send + Sync + 'static>(
    index: usize,
    error: E,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error))
}
