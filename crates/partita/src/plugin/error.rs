//! Why an orchestrator cannot do what it is asked.

use std::io;

use partita_plugin::frame::RpcError;
use partita_plugin::message::UNREACHABLE;

/// What an orchestrator returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an orchestrator cannot do what it is asked.
///
/// Errors of the system become one by themselves: where a connection or the time is at fault, the
/// backend counts as out of reach.
///
/// ```
/// use std::io;
///
/// use partita::plugin::Error;
///
/// let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
/// assert!(matches!(Error::from(refused), Error::Unreachable(_)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The backend cannot be reached now; a `poll` that says so is asked again.
    Unreachable(String),
    /// It is refused, and the attempt that it is about has failed.
    Failed(String),
}

impl Error {
    /// Returns the error of something that failed for this reason.
    pub fn failed(why: impl Into<String>) -> Self {
        Self::Failed(why.into())
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Unreachable(why) | Self::Failed(why)) = self;
        f.write_str(why)
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{
            ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable,
            NetworkUnreachable, NotConnected, TimedOut,
        };
        match error.kind() {
            ConnectionAborted | ConnectionRefused | ConnectionReset | HostUnreachable
            | NetworkUnreachable | NotConnected | TimedOut => Self::Unreachable(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

impl From<Error> for RpcError {
    fn from(error: Error) -> Self {
        match error {
            Error::Unreachable(message) => Self { code: UNREACHABLE, message },
            Error::Failed(message) => Self::failed(message),
        }
    }
}
