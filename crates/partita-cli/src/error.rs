//! Why a command did not do what it was asked, and the exit code that says so.

use std::io::Write;
use std::process::ExitCode;

use crate::bug;
use crate::pipeline;
use crate::session::SessionError;
use crate::terminal;
use partita_engine::home::HomeError;
use partita_engine::metadata::MetadataError;
use partita_engine::secrets::SecretError;
use partita_engine::store::StoreError;
use partita_orchestrators::docker::PreflightError;
use partita_plugin::RegistrationError;

/// The pipeline or its configuration failed.
pub const FAILED: u8 = 1;
/// The command was typed wrongly.
pub const USAGE: u8 = 2;
/// A backend is not to be reached.
pub const UNREACHABLE: u8 = 3;

/// The run that a command was about is cancelled.
pub const CANCELLED: u8 = 130;

/// Why a command ended early.
#[derive(Debug)]
pub enum CommandError {
    /// Something to be told, in one paragraph, and perhaps what to do.
    Told(u8),
    /// What is wrong, with its exit code.
    Failed {
        /// The exit code.
        code: u8,
        /// What is wrong, in one paragraph.
        message: String,
        /// What to do.
        help: Option<String>,
    },
    /// Whoever read the output has read enough.
    ClosedPipe,
}

impl CommandError {
    /// Returns what is wrong and what to do in one text, for a message that has more to say.
    pub fn said(self) -> String {
        match self {
            Self::Failed { message, help: Some(help), .. } => format!("{message}; {help}"),
            Self::Failed { message, .. } => message,
            Self::Told(_) | Self::ClosedPipe => "it has told of itself".to_owned(),
        }
    }

    /// Returns a failure of the configuration or of what was asked for.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed { code: FAILED, message: message.into(), help: None }
    }

    fn of(is_unreachable: bool, error: &dyn std::error::Error) -> Self {
        let code = if is_unreachable { UNREACHABLE } else { FAILED };
        Self::Failed { code, message: error.to_string(), help: None }
    }

    /// Returns a mistake in what was typed.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Failed { code: USAGE, message: message.into(), help: None }
    }

    /// Returns a failure that only a bug in Partita can bring about.
    pub fn bug(message: impl std::fmt::Display) -> Self {
        Self::Failed {
            code: bug::EXIT_CODE,
            message: format!("{message}; this is a bug in Partita"),
            help: None,
        }
    }

    /// Returns the failure to write to standard output.
    pub fn output(error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::ClosedPipe;
        }
        Self::failed(format!("standard output cannot be written to: {error}; see what it leads to"))
    }

    /// Adds what to do.
    pub fn help(self, help: impl Into<String>) -> Self {
        match self {
            Self::Failed { code, message, .. } => {
                Self::Failed { code, message, help: Some(help.into()) }
            }
            other => other,
        }
    }

    /// Prints the error and returns its exit code.
    pub fn report(self) -> ExitCode {
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

impl From<PreflightError> for CommandError {
    fn from(error: PreflightError) -> Self {
        Self::of(error.is_unreachable(), &error)
    }
}

impl From<pipeline::Error> for CommandError {
    fn from(error: pipeline::Error) -> Self {
        match error {
            // The panic has told of itself.
            pipeline::Error::Stopped => Self::Told(bug::EXIT_CODE),
            error => Self::of(error.is_unreachable(), &error),
        }
    }
}

impl From<RegistrationError> for CommandError {
    fn from(error: RegistrationError) -> Self {
        Self::failed(error.to_string())
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
