//! The states of runs and step runs.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::name;

macro_rules! statuses {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "lowercase")]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// Returns the word that documents and commands use.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The words for all of them.
            pub const WORDS: &'static [&'static str] = &[$($text),+];
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownStatus;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(UnknownStatus::of(text, Self::WORDS)),
                }
            }
        }
    };
}

/// A word that names no status.
#[derive(Debug, thiserror::Error)]
#[error("`{word}` is not a status; {help}")]
pub struct UnknownStatus {
    word: String,
    help: String,
}

impl UnknownStatus {
    fn of(word: &str, known: &[&str]) -> Self {
        let help = match name::nearest(word, known.iter().copied()) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("there are `{}`", known.join("`, `")),
        };
        Self { word: word.chars().take(name::NAME_LENGTH).collect(), help }
    }
}

statuses! {
    /// The state of a run.
    RunStatus {
        /// Its documents are being written.
        Initializing = "initializing",
        /// A backend has it and has not begun.
        Submitted = "submitted",
        /// Steps run or wait.
        Running = "running",
        /// Every step completed or was cached.
        Completed = "completed",
        /// A step failed.
        Failed = "failed",
        /// Someone cancelled it.
        Cancelled = "cancelled",
        /// Its engine died; `resume` continues it.
        Interrupted = "interrupted",
    }
}

statuses! {
    /// The state of a step run.
    StepStatus {
        /// It waits for its upstream steps or for a slot.
        Waiting = "waiting",
        /// An attempt runs.
        Running = "running",
        /// An attempt failed and the next one is due.
        Retrying = "retrying",
        /// An attempt succeeded and is committed.
        Completed = "completed",
        /// An earlier commit with the same cache key was taken over.
        Cached = "cached",
        /// No attempt is left.
        Failed = "failed",
        /// It never ran because something upstream failed or the run stopped.
        Skipped = "skipped",
        /// It was running or waiting when the run was cancelled.
        Cancelled = "cancelled",
    }
}

impl RunStatus {
    /// Returns whether the run will not change any more, short of being resumed.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled | Self::Interrupted)
    }
}

impl StepStatus {
    /// Returns whether the step's outputs are there.
    pub fn is_successful(self) -> bool {
        matches!(self, Self::Completed | Self::Cached)
    }

    /// Returns whether the step will not change any more in this run.
    pub fn is_ended(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running | Self::Retrying)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_status_is_told_with_what_is_meant() {
        let check = |word: &str, expected: &str| {
            let error = word.parse::<RunStatus>().expect_err("no status").to_string();
            assert!(error.starts_with(expected), "{error}");
        };
        check("faild", "`faild` is not a status; did you mean `failed`?");
        check("zebra", "`zebra` is not a status; there are `initializing`, `submitted`");
    }
}
