//! Why a secret cannot be kept or used. No message holds a value.

use partita_core::diagnostic::Report;
use partita_core::secret::InvalidWord;

use super::store::{LONGEST, SHORTEST};
use crate::metadata::MetadataError;

/// Why a secret cannot be kept or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The metadata store failed, or has no such secret.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// A deployment refers to what is not there.
    #[error("{0}")]
    Missing(Report),
    /// A word that is no name or key.
    #[error("`{word}` cannot be the {what} of a secret: {reason}")]
    BadWord {
        /// `name` or `key`.
        what: &'static str,
        /// The word, shortened.
        word: String,
        /// What is wrong.
        reason: InvalidWord,
    },
    /// A value that could not be told from other text.
    #[error(
        "the value has {0} bytes; a secret has at least {SHORTEST}, since a shorter one could not be told from other text in logs"
    )]
    TooShort(usize),
    /// A value beyond reason.
    #[error("the value has {0} bytes; a secret has at most {LONGEST}")]
    TooLong(usize),
    /// The file of the key cannot be used.
    #[error("the key that encrypts secrets, `{path}`, cannot be used: {reason}; {help}")]
    BadKey {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
        /// What to do.
        help: String,
    },
    /// The key is another one, or what is stored was changed.
    #[error(
        "the secret `{name}.{key}` cannot be decrypted with the key in `{path}`; bring back the key that it was stored with, or store it again with `partita secret set {name} {key}`"
    )]
    Undecipherable {
        /// The secret.
        name: String,
        /// The key of its value.
        key: String,
        /// The file of the encryption key.
        path: String,
    },
    /// The system gives no random numbers.
    #[error("the value cannot be encrypted, since the system gives no random numbers: {0}")]
    NoRandomness(String),
    /// A process has to use a value that nobody gave it.
    #[error(
        "the secret `{0}` was not handed to this process; set the variables of `environment` that the orchestrator was given where it starts steps"
    )]
    NotHanded(String),
    /// Values that could not be taken out of text.
    #[error("these are more secrets than can be kept out of logs: {0}; use fewer in one run")]
    TooMany(String),
    /// What a process was handed is no set of secrets.
    #[error("what was handed over as secrets is none: {0}; this is a bug in Partita")]
    Malformed(String),
}

impl From<serde_json::Error> for SecretError {
    /// Says where, and never what: a message of the parser may quote it.
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(format!("column {}", error.column()))
    }
}
