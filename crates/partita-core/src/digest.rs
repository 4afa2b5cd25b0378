//! Content digests: every identity that Partita computes is BLAKE3 over bytes.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A 256-bit BLAKE3 digest, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

/// Text that is not 64 hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("a digest is 64 hexadecimal digits, not `{0}`")]
pub struct InvalidDigest(String);

impl Digest {
    /// Returns the digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Returns the digest of bytes that lie in several places, one after the other.
    #[must_use]
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(part);
        }
        hasher.finalize().into()
    }

    /// Returns the first 32 hexadecimal digits, enough to name a document.
    pub fn short(&self) -> String {
        let mut hex = self.to_string();
        hex.truncate(32);
        hex
    }
}

impl From<blake3::Hash> for Digest {
    fn from(hash: blake3::Hash) -> Self {
        Self(*hash.as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        blake3::Hash::from_hex(text)
            .map(Self::from)
            .map_err(|_| InvalidDigest(text.chars().take(80).collect()))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Digest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }
}

/// Hashes a sequence of fields so that no two different sequences share an encoding.
///
/// Each field is written as its tag's length, its tag, its length and its bytes (lengths as 8
/// bytes, little endian), so values can never run into one another.
#[derive(Default)]
pub struct FieldHasher(blake3::Hasher);

impl FieldHasher {
    /// Adds one field under `tag`.
    pub fn field(&mut self, tag: &str, bytes: &[u8]) -> &mut Self {
        for part in [tag.as_bytes(), bytes] {
            self.0.update(&(part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
        self
    }

    /// Returns the digest of all fields added so far.
    pub fn finish(&self) -> Digest {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Digest {
        let mut hasher = FieldHasher::default();
        for (tag, value) in pairs {
            hasher.field(tag, value.as_bytes());
        }
        hasher.finish()
    }

    #[test]
    fn values_that_would_concatenate_alike_differ() {
        assert_ne!(fields(&[("a", "1"), ("b", "2b3")]), fields(&[("a", "1b2"), ("b", "3")]));
        assert_ne!(fields(&[("a", "")]), fields(&[("", "a")]));
    }

    #[test]
    fn a_digest_reads_back_from_its_text() {
        let digest = Digest::of(b"partita");
        assert_eq!(digest.to_string().parse::<Digest>().ok(), Some(digest));
        assert!("abc".parse::<Digest>().is_err());
    }
}
