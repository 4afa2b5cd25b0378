//! Artifacts: the named values that steps make, and the documents that describe them.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::{Digest, FieldHasher};
use crate::literal::Literal;
use crate::time::Timestamp;

/// One immutable value of an artifact, as the step that made it records it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactVersion {
    /// The artifact's name: `PIPELINE.STEP.OUTPUT`.
    pub artifact: String,
    /// The version's id, unique in the artifact store.
    pub id: String,
    /// The value's type in its author's language: `module.qualname`.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The format that its materializer writes.
    pub format: String,
    /// The content digest; see [`content_digest`].
    pub digest: Digest,
    /// The digest of the author's code that the value brings along, such as its class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Digest>,
    /// Bytes of all files.
    pub size: u64,
    /// The value itself, where it is small enough to live in the document.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub value: Option<Literal>,
    /// The versions that it is a list of, in order; it has no folder of its own then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Arc<Vec<ArtifactVersion>>>,
    /// What its materializer says of it: shapes, types, counts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Literal>,
}

/// Reads a value that is there; `null` is one.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Literal>, D::Error> {
    Literal::deserialize(deserializer).map(Some)
}

impl ArtifactVersion {
    /// Returns what its manifest says of it.
    pub fn header(&self) -> ArtifactHeader {
        ArtifactHeader {
            artifact: self.artifact.clone(),
            id: self.id.clone(),
            type_name: self.type_name.clone(),
            format: self.format.clone(),
            digest: self.digest,
        }
    }

    /// Calls `visit` with each version in it that has a folder: itself, or those that it lists.
    pub fn visit_folders<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        match &self.items {
            Some(items) => items.iter().for_each(|item| item.visit_folders(visit)),
            None if self.value.is_some() => {}
            None => visit(self),
        }
    }

    /// Returns whether the values that live in the document have the digests they were stored with;
    /// files are checked where they are loaded.
    pub fn is_value_whole(&self) -> bool {
        if let Some(items) = &self.items {
            return items.iter().all(Self::is_value_whole);
        }
        let digest = |value| content_digest(&self.format, &inline_files(value));
        self.value.as_ref().is_none_or(|value| digest(value) == self.digest)
    }
}

/// One file of an artifact version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactFile {
    /// Path in the version's folder, with `/` between segments.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// BLAKE3 of the bytes.
    pub digest: Digest,
}

/// `artifacts/<artifact>/<id>/manifest.json`: what an artifact version consists of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// The document format's version.
    pub version: u32,
    /// The artifact version it describes.
    #[serde(flatten)]
    pub artifact: ArtifactHeader,
    /// The files, sorted by path.
    pub files: Vec<ArtifactFile>,
    /// The run that made it.
    pub run_id: String,
    /// The step that made it.
    pub step: String,
    /// When it was complete.
    pub created_at: Timestamp,
}

/// What a manifest says of its artifact version as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactHeader {
    /// The artifact's name.
    pub artifact: String,
    /// The version's id.
    pub id: String,
    /// The value's type in its author's language.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The format of the files.
    pub format: String,
    /// The content digest.
    pub digest: Digest,
}

/// The format of a version that lists others.
pub const LIST_FORMAT: &str = "list";

/// Returns the content digest of a list of artifact versions: what each holds, by type, content and
/// the code that it brings along.
pub fn list_digest(items: &[ArtifactVersion]) -> Digest {
    let mut hasher = FieldHasher::default();
    hasher.field("format", LIST_FORMAT.as_bytes());
    for item in items {
        hasher
            .field("type", item.type_name.as_bytes())
            .field("digest", item.digest.to_string().as_bytes());
        if let Some(code) = item.code {
            hasher.field("code", code.to_string().as_bytes());
        }
    }
    hasher.finish()
}

/// Name of the only file of an inlined value, for its content digest.
pub const INLINE_FILE: &str = "data.json";

/// Returns the content digest of an artifact version: its format and its files, by path, size and
/// digest. A value has the same digest whether it is inlined or not.
pub fn content_digest(format: &str, files: &[ArtifactFile]) -> Digest {
    let mut hasher = FieldHasher::default();
    hasher.field("format", format.as_bytes());
    for file in files {
        hasher
            .field("path", file.path.as_bytes())
            .field("size", &file.size.to_le_bytes())
            .field("digest", file.digest.to_string().as_bytes());
    }
    hasher.finish()
}

/// Returns the files of an inlined value, as [`content_digest`] takes them.
pub fn inline_files(value: &Literal) -> [ArtifactFile; 1] {
    let bytes = value.text().as_bytes();
    [ArtifactFile {
        path: INLINE_FILE.to_owned(),
        size: bytes.len() as u64,
        digest: Digest::of(bytes),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ending: &str, value: Option<&str>) {
        let text = format!(
            r#"{{"artifact":"a","id":"1","type":"t","format":"json","digest":"{}","size":4{ending}}}"#,
            Digest::of(b"")
        );
        let version: ArtifactVersion = serde_json::from_str(&text).expect("an artifact version");
        assert_eq!(version.value.as_ref().map(Literal::text), value);
        assert_eq!(serde_json::to_string(&version).expect("JSON"), text);
    }

    #[test]
    fn a_value_that_is_null_is_a_value() {
        check("", None);
        check(r#","value":null"#, Some("null"));
        check(r#","value":[null]"#, Some("[null]"));
    }
}
