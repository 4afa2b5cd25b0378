//! The formats that lists and descriptions come in: for people, and for programs.

use std::str::FromStr;

use serde::Serialize;

use crate::yaml;

/// How data is written to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// For programs; its keys are stable.
    Json,
    /// For both; the same keys as the JSON.
    Yaml,
}

impl Format {
    /// The words for the formats, as `--output` takes them.
    pub const WORDS: [&str; 3] = ["table", "json", "yaml"];

    /// Returns `document` as text with a line break at its end, or `None` for a table, which each
    /// command draws by itself.
    ///
    /// # Errors
    /// If the document holds something that the format cannot say.
    pub fn encode<T: Serialize + ?Sized>(self, document: &T) -> Result<Option<String>, String> {
        match self {
            Self::Table => Ok(None),
            Self::Json => {
                let text =
                    serde_json::to_string_pretty(document).map_err(|error| error.to_string())?;
                Ok(Some(text + "\n"))
            }
            Self::Yaml => yaml::encode(document).map(Some),
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "table" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            "yaml" => Ok(Self::Yaml),
            _ => Err(format!("`{word}` is not a format; use `table`, `json` or `yaml`")),
        }
    }
}
