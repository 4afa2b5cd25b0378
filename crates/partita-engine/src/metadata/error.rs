//! Why the metadata store did not do what it was asked, said so that its reader can go on.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::store::StoreError;

/// Why the metadata store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// Nothing has this name.
    #[error("there is no {what} `{name}`{nearest}; {help}", nearest = did_you_mean(.nearest.as_deref()))]
    NotFound {
        /// What was looked for, such as `run` or `stack`.
        what: String,
        /// What it was called.
        name: String,
        /// The nearest name that exists.
        nearest: Option<String>,
        /// What to do.
        help: String,
    },
    /// Something has this name already.
    #[error("the {what} `{name}` is there already; {help}")]
    Exists {
        /// What has it, such as `run` or `stack`.
        what: String,
        /// The name.
        name: String,
        /// What to do.
        help: String,
    },
    /// Something that another command has changed since it was read.
    #[error(
        "the {what} `{name}` has been changed by another command meanwhile, so nothing is saved; look at it, and type the command again"
    )]
    Changed {
        /// What it is, such as `stack`.
        what: String,
        /// Its name.
        name: String,
    },
    /// A beginning, or a name, that several things share.
    #[error("`{reference}` may mean several {what}: {}; type more of the id", .candidates.join(", "))]
    Ambiguous {
        /// What was looked for, such as `runs`.
        what: String,
        /// What was typed.
        reference: String,
        /// What it may mean, as an id and a name.
        candidates: Vec<String>,
    },
    /// Something that every home has and keeps.
    #[error(
        "the {what} `{name}` belongs to every home and cannot be changed or deleted; register one of your own with `{command}`"
    )]
    Protected {
        /// What it is.
        what: String,
        /// Its name.
        name: String,
        /// The command to type.
        command: String,
    },
    /// Something that others need.
    #[error("the {what} `{name}` is used by {}; {help}", .users.join(", "))]
    InUse {
        /// What it is.
        what: String,
        /// Its name.
        name: String,
        /// What needs it.
        users: Vec<String>,
        /// What to do.
        help: String,
    },
    /// A name that no one may have, or a set of components that makes no stack.
    #[error("the {what} `{name}` cannot be registered: {reason}; {help}")]
    Invalid {
        /// What was to be registered.
        what: String,
        /// The name, cut to a readable length.
        name: String,
        /// What is wrong.
        reason: String,
        /// What to do.
        help: String,
    },
    /// A database that may not be written to.
    #[error(
        "the metadata store `{path}` cannot be written to; make the file and its folder writable, or set `PARTITA_HOME` to a folder that is"
    )]
    ReadOnly {
        /// The database.
        path: String,
    },
    /// No room.
    #[error(
        "the disk that holds the metadata store `{path}` is full; free some space (`partita store gc --cache` removes what no run needs) and try again"
    )]
    Full {
        /// The database.
        path: String,
    },
    /// A file that is not a database, or no longer one.
    #[error(
        "the metadata store `{path}` is not a database that Partita can read ({reason}); move the file away and type `partita store rebuild`: runs and artifacts come back, stacks and components have to be registered again, and secrets stored"
    )]
    Corrupt {
        /// The database.
        path: String,
        /// What the database engine said.
        reason: String,
    },
    /// A database of a Partita to come.
    #[error(
        "the metadata store `{path}` has version {found}, and this Partita knows versions up to {known}; use the newer Partita that wrote it, or set `PARTITA_HOME` to another folder"
    )]
    Newer {
        /// The database.
        path: String,
        /// Its version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// Another process kept the database for longer than anyone should wait.
    #[error(
        "another process has kept the metadata store `{path}` busy for a minute; end it, or wait until it is done, and try again"
    )]
    Busy {
        /// The database.
        path: String,
    },
    /// Anything else that went wrong with the database.
    #[error("the metadata store `{path}` failed: {reason}{help}")]
    Failed {
        /// The database.
        path: String,
        /// What the database engine or the system said.
        reason: String,
        /// What to do, with a leading separator, or nothing.
        help: String,
    },
    /// A run goes on without an engine.
    #[error(
        "run `{0}` was submitted, and goes on without an engine; cancel it first with `partita runs cancel`"
    )]
    Submitted(String),
    /// The artifact store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl MetadataError {
    /// Returns whether an artifact store is out of reach.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_unreachable())
    }
}

/// A `Result` with a [`MetadataError`].
pub type Result<T> = std::result::Result<T, MetadataError>;

impl MetadataError {
    /// Returns the error for what SQLite said of the database at `path`.
    pub(super) fn of_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.display().to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                Self::ReadOnly { path }
            }
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Corrupt { path, reason: error.to_string() }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            _ => Self::Failed { path, reason: error.to_string(), help: String::new() },
        }
    }

    /// Returns the error for what the system said of the folder of the database at `path`.
    pub(super) fn of_folder(path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let path = path.display().to_string();
        match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Failed {
                path,
                reason: format!("its folder cannot be made: {error}"),
                help: "; set `PARTITA_HOME` to a folder that you may write to".to_owned(),
            },
        }
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!(" (did you mean `{nearest}`?)")).unwrap_or_default()
}
