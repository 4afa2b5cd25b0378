//! What Partita and a plugin say to each other: types of the wire, and of nothing else.
//!
//! A field that an older side does not know is passed over, so that fields may be added without a
//! new version.

mod flavor;
mod run;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use flavor::*;
pub use run::*;

/// The version of the protocol that this code speaks.
pub const PROTOCOL: u32 = 1;

/// The names of the messages.
pub mod method {
    /// Who is there; always the first.
    pub const HELLO: &str = "hello";
    /// What the flavor is.
    pub const DESCRIBE: &str = "describe";
    /// Whether a configuration is right.
    pub const VALIDATE: &str = "validate";
    /// A run begins, or is taken up.
    pub const OPEN: &str = "open";
    /// An attempt is to start.
    pub const LAUNCH: &str = "launch";
    /// How does a job stand?
    pub const POLL: &str = "poll";
    /// A job is to end.
    pub const CANCEL: &str = "cancel";
    /// What is the job of an attempt?
    pub const FIND: &str = "find";
    /// What did a job print?
    pub const LOGS: &str = "logs";
    /// A direct orchestrator is to go through the steps.
    pub const RUN: &str = "run";
    /// A direct orchestrator asks what to do for a step; a request of the plugin.
    pub const STEP: &str = "step";
    /// An attempt has ended; a notification of the plugin.
    pub const STATUS: &str = "status";
    /// The orchestrator has an id of its own for the run; a notification of the plugin.
    pub const IDENTIFIED: &str = "identified";
}

/// The code of an error that says that a backend is out of reach, and may be within it later.
pub const UNREACHABLE: i64 = -32001;

/// What a plugin can do besides `launch`, `poll` and `cancel`.
pub mod capability {
    /// It answers `find`.
    pub const FIND: &str = "find";
    /// It answers `logs`.
    pub const LOGS: &str = "logs";
    /// It sends `status` when an attempt ends, so that it need not be polled.
    pub const STATUS: &str = "status";
}

/// `hello`: the first request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of the protocol that Partita speaks.
    pub protocol: u32,
    /// The version of Partita.
    pub partita: String,
}

/// The answer to `hello`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Welcome {
    /// The version of the protocol that the plugin speaks.
    pub protocol: u32,
    /// What it can do; a word that is not known is passed over.
    #[serde(default)]
    pub capabilities: Vec<String>,
}
