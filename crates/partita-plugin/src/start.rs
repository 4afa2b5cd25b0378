//! What a plugin is started with, and whether it may be.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use partita_core::digest::Digest;
use partita_core::stack::{Flavor, Origin};

use crate::message::method;
use crate::process::CallError;

/// What makes plugins of flavors in Python. Modules come from the source root and the environment: the
/// folder that somebody stands in may be another one's.
const HOST: &str = "import sys; sys.path[:1] == [''] and sys.path.pop(0); \
    from partita.plugins.__main__ import main; main(sys.argv[1:])";

/// Why a plugin is not started.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The source of its flavor is no program.
    #[error("`{path}` cannot be used as a plugin: {reason}")]
    NotExecutable {
        /// The path.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It is another program than the one that was registered.
    #[error(
        "`{path}` has changed since the flavor `{flavor}` was registered with it; if that is meant to be, type `partita orchestrator flavor update {flavor}`"
    )]
    Changed {
        /// The path.
        path: String,
        /// The flavor.
        flavor: String,
    },
    /// The flavor is built in, and has no plugin.
    #[error("the flavor `{0}` is built in")]
    BuiltIn(String),
}

/// A program that speaks the plugin protocol.
#[derive(Debug, Clone)]
pub struct Start {
    /// What messages call it.
    pub(crate) what: String,
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Start {
    /// Returns an executable, by an absolute path.
    ///
    /// # Errors
    /// If it is none.
    pub fn executable(path: &Path) -> Result<Self, StartError> {
        let refused = |reason: &str| StartError::NotExecutable {
            path: path.display().to_string(),
            reason: reason.to_owned(),
        };
        let metadata = std::fs::metadata(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => refused("there is no such file; check the path"),
            _ => refused(&error.to_string()),
        })?;
        if metadata.is_dir() {
            return Err(refused("it is a folder; name the executable in it"));
        }
        if !metadata.is_file() {
            return Err(refused("it is no regular file"));
        }
        if metadata.permissions().mode() & 0o111 == 0 {
            if path.extension().is_some_and(|extension| extension == "py") {
                return Err(refused(
                    "it is not executable; a flavor in Python is named by the dotted path of its class, as in `flavors.my_flavor.MyOrchestratorFlavor`",
                ));
            }
            return Err(refused("it is not executable; make it so with `chmod +x`"));
        }
        Ok(Self {
            what: format!("the plugin `{}`", path.display()),
            program: path.to_owned(),
            arguments: Vec::new(),
        })
    }

    /// Returns the host of a flavor in Python: the dotted path of a class below a source root.
    pub fn python(interpreter: &Path, source: &str, source_root: &Path) -> Self {
        let arguments = ["-c".as_ref(), HOST.as_ref(), source.as_ref(), source_root.as_os_str()];
        Self {
            what: format!("the plugin `{source}`"),
            program: interpreter.to_owned(),
            arguments: arguments.map(OsStr::to_owned).to_vec(),
        }
    }

    /// Returns what implements a registered flavor; one in Python is loaded by `interpreter`.
    ///
    /// # Errors
    /// If it is not there, or is not what was registered.
    pub fn of(flavor: &Flavor, interpreter: &Path) -> Result<Self, StartError> {
        let plugin = flavor.plugin.as_ref();
        match &plugin.ok_or_else(|| StartError::BuiltIn(flavor.name.clone()))?.origin {
            Origin::Executable { digest, .. } => {
                let path = Path::new(&flavor.source);
                let start = Self::executable(path)?;
                if *digest == digest_of(path)? {
                    return Ok(start);
                }
                let (path, flavor) = (flavor.source.clone(), flavor.name.clone());
                Err(StartError::Changed { path, flavor })
            }
            Origin::Python { source_root } => {
                Ok(Self::python(interpreter, &flavor.source, Path::new(source_root)))
            }
        }
    }

    /// Returns the command that starts it.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command
    }

    /// Returns an error that it answered outside of runs as a sentence. The host of flavors in Python
    /// says by itself what it is about.
    pub(crate) fn refusal(&self, method: &str, message: &str) -> String {
        if !self.arguments.is_empty() {
            return message.to_owned();
        }
        let message: Vec<&str> = message.split_whitespace().collect();
        format!("{} answered `{method}` with an error: {}", self.what, message.join(" "))
    }

    /// Returns an error as a sentence about it.
    pub(crate) fn said(&self, error: &CallError) -> String {
        match error {
            CallError::Refused(error) => error.message.clone(),
            CallError::Unwelcome(error) => self.refusal(method::HELLO, &error.message),
            error => format!("{} {error}", self.what),
        }
    }

    /// Returns the words for a program that the system does not start.
    pub(crate) fn not_started(&self, error: &std::io::Error) -> String {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => {
                "; what its first line names as its interpreter is not there"
            }
            _ if error.raw_os_error() == Some(nix::libc::ENOEXEC) => {
                "; it is no program for this machine, and no script, whose first line is `#!` and its interpreter"
            }
            _ => "",
        };
        format!("{} cannot be started: {error}{hint}", self.what)
    }
}

/// Returns the digest of an executable's content.
///
/// # Errors
/// If it cannot be read.
pub fn digest_of(path: &Path) -> Result<Digest, StartError> {
    let content = std::fs::read(path).map_err(|error| StartError::NotExecutable {
        path: path.display().to_string(),
        reason: format!("it cannot be read: {error}"),
    })?;
    Ok(Digest::of(&content))
}
