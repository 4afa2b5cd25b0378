//! How long a plugin may take to answer.

use std::time::Duration;

/// How long each kind of answer is waited for; a plugin that takes longer is ended.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For `hello`, `describe`, `validate` and `open`: it may import a lot.
    pub start: Duration,
    /// For everything else.
    pub answer: Duration,
    /// To end once its standard input is closed.
    pub end: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { start: seconds(120), answer: seconds(60), end: seconds(5) }
    }
}
