//! How long a plugin may take to answer, and to tell.

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
    /// To tell of the end of an attempt that is over, as what it left says: hooks may come after that.
    /// It is not ended then; the attempt is.
    pub tell: Duration,
}

/// The parts of the time to tell of an end.
const LOOKS: u32 = 120;
const LOOKS_UNTIL_NOTICE: u32 = 6;

impl Patience {
    /// Returns how often it is looked whether an attempt is over whose end is to be told.
    pub(crate) fn look(&self) -> Duration {
        self.tell / LOOKS
    }

    /// Returns how long after its end a person is told what is waited for.
    pub(crate) fn notice(&self) -> Duration {
        self.look() * LOOKS_UNTIL_NOTICE
    }
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { start: seconds(120), answer: seconds(60), end: seconds(5), tell: seconds(600) }
    }
}
