//! Why a command did not do what it was asked, and the exit code that says so.

use std::io::Write;
use std::process::ExitCode;

use partita_cli::bug;
use partita_cli::session::SessionError;
use partita_cli::terminal;
use partita_engine::home::HomeError;
use partita_engine::metadata::MetadataError;
use partita_engine::secrets::SecretError;
use partita_engine::store::StoreError;

/// The pipeline or its configuration failed.
pub(crate) const FAILED: u8 = 1;
/// The command was typed wrongly.
pub(crate) const USAGE: u8 = 2;
/// A backend is not to be reached.
pub(crate) const UNREACHABLE: u8 = 3;

/// The run that a command was about is cancelled.
pub(crate) const CANCELLED: u8 = 130;

/// Why a command ended early.
#[derive(Debug)]
pub(crate) enum CommandError {
    /// Something to be told, in one paragraph, and perhaps what to do.
    Told(u8),
    /// What is wrong, with its exit code.
    Failed { code: u8, message: String, help: Option<String> },
    /// Whoever read the output has read enough.
    ClosedPipe,
}

impl CommandError {
    /// Returns a failure of the configuration or of what was asked for.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed { code: FAILED, message: message.into(), help: None }
    }

    fn of(is_unreachable: bool, error: &dyn std::error::Error) -> Self {
        let code = if is_unreachable { UNREACHABLE } else { FAILED };
        Self::Failed { code, message: error.to_string(), help: None }
    }

    /// Returns a mistake in what was typed.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Failed { code: USAGE, message: message.into(), help: None }
    }

    /// Returns a failure that only a bug in Partita can bring about.
    pub(crate) fn bug(message: impl std::fmt::Display) -> Self {
        Self::Failed {
            code: bug::EXIT_CODE,
            message: format!("{message}; this is a bug in Partita"),
            help: None,
        }
    }

    /// Returns the failure to write to standard output.
    pub(crate) fn output(error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::ClosedPipe;
        }
        Self::failed(format!("standard output cannot be written to: {error}; see what it leads to"))
    }

    /// Adds what to do.
    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        match self {
            Self::Failed { code, message, .. } => {
                Self::Failed { code, message, help: Some(help.into()) }
            }
            other => other,
        }
    }

    /// Prints the error and returns its exit code.
    pub(crate) fn report(self) -> ExitCode {
        match self {
            Self::ClosedPipe => ExitCode::SUCCESS,
            Self::Told(code) => ExitCode::from(code),
            Self::Failed { code, message, help } => {
                let end = if message.ends_with(['.', '?']) { "" } else { "." };
                let mut text = format!("error: {}{end}\n", paragraph(&message));
                if let Some(help) = help {
                    text.push_str(&format!("help: {}\n", terminal::escaped(&help)));
                }
                let _ = std::io::stderr().lock().write_all(text.as_bytes());
                ExitCode::from(code)
            }
        }
    }
}

/// Returns text that holds whatever users and files hold, without what could harm a terminal.
fn paragraph(message: &str) -> String {
    message.lines().map(terminal::escaped).collect::<Vec<_>>().join("\n")
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        Self::of(error.is_unreachable(), &error)
    }
}

impl From<MetadataError> for CommandError {
    fn from(error: MetadataError) -> Self {
        Self::of(error.is_unreachable(), &error)
    }
}

impl From<HomeError> for CommandError {
    fn from(error: HomeError) -> Self {
        Self::of(error.is_unreachable(), &error)
    }
}

impl From<SessionError> for CommandError {
    fn from(error: SessionError) -> Self {
        Self::of(error.is_unreachable(), &error)
    }
}

impl From<SecretError> for CommandError {
    fn from(error: SecretError) -> Self {
        match error {
            SecretError::Metadata(error) => error.into(),
            error => Self::of(false, &error),
        }
    }
}
