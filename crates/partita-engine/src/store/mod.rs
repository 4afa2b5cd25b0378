//! Artifact stores: where deployments, runs and artifacts are kept.
//!
//! The layout is the wire format between steps; see [`layout`].

mod documents;
mod files;
mod hold;
pub mod layout;
mod lease;
mod local;
mod owner;
mod watch;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use partita_core::digest::Digest;

pub(crate) use documents::encode;
pub use documents::{Documents, LeftByStep, read_document};
pub use hold::Hold;
pub use lease::{LeaseGuard, LeaseState};
pub use local::{Durability, LocalArtifactStore};
pub(crate) use watch::FolderWatch;
pub use watch::Watch;

/// Why an artifact store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is nothing at this path.
    #[error("`{path}` is not in the artifact store `{uri}`")]
    NotFound {
        /// The path in the store.
        path: String,
        /// The store.
        uri: String,
    },
    /// A path that would leave the store.
    #[error(
        "`{0}` is not a path inside an artifact store; it may not be absolute, empty, contain `..` or lie behind a link that leads out"
    )]
    OutsideStore(String),
    /// A document that is not what its place says.
    #[error("the document `{path}` in the artifact store `{uri}` cannot be read: {reason}; {help}")]
    BadDocument {
        /// The path in the store.
        path: String,
        /// The store.
        uri: String,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        help: String,
    },
    /// Content that does not have the digest it was stored with.
    #[error(
        "`{path}` in the artifact store `{uri}` is corrupt: its content no longer has the digest it was stored with; delete the run that made it, or run that step again with `--no-cache`"
    )]
    Corrupt {
        /// The path in the store.
        path: String,
        /// The store.
        uri: String,
    },
    /// The run is driven by another engine.
    #[error(
        "run `{run}` is driven by process {pid} on `{host}` since {since}; wait for it, or end it with `partita runs cancel {run}`"
    )]
    LeaseHeld {
        /// The run's name, or its id if it has none yet.
        run: String,
        /// The engine's process.
        pid: u32,
        /// Its machine.
        host: String,
        /// When it took the lease.
        since: String,
    },
    /// Something refers to what the store holds without saying so in it yet.
    #[error(
        "nothing was removed from the artifact store `{0}`, because a run is just beginning in it, or it is being collected already; try again in a moment"
    )]
    Beginning(String),
    /// The store is out of reach, or not one.
    #[error("the artifact store `{uri}` cannot be opened: {reason}; {help}")]
    Unavailable {
        /// The store.
        uri: String,
        /// What is wrong.
        reason: String,
        /// What to do.
        help: String,
    },
    /// The disk, or the backend, failed.
    #[error("the artifact store `{uri}` failed at `{path}`: {reason}{help}")]
    Failed {
        /// The path in the store.
        path: String,
        /// The store.
        uri: String,
        /// What the system said.
        reason: String,
        /// What to do, with a leading separator, or nothing.
        help: String,
    },
}

impl StoreError {
    /// Returns whether the store is out of reach; one that is full or read-only is not.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

/// A `Result` with a [`StoreError`].
pub type Result<T> = std::result::Result<T, StoreError>;

/// A place that keeps documents and artifacts under `/`-separated paths.
///
/// Every write is whole or not there at all, whatever happens to the writer.
pub trait ArtifactStore: Send + Sync {
    /// Returns the store's URI.
    fn uri(&self) -> &str;

    /// Returns the bytes at `path`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there are none.
    fn read(&self, path: &str) -> Result<Bytes>;

    /// Returns the bytes at `path` from `offset` on; none if there are no more.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is nothing at `path`.
    fn read_from(&self, path: &str, offset: u64) -> Result<Bytes>;

    /// Puts `bytes` at `path`, in place of what is there.
    ///
    /// # Errors
    /// If they could not be stored whole.
    fn write(&self, path: &str, bytes: Bytes) -> Result<()>;

    /// Makes the bytes at `from` appear at `to` as well, unless something is there already.
    /// Returns whether it was made.
    ///
    /// # Errors
    /// If it could not be done.
    fn link(&self, from: &str, to: &str) -> Result<bool>;

    /// Puts `bytes` at `path` unless something is there already. Returns whether they were put.
    ///
    /// # Errors
    /// If they could not be stored whole.
    fn create(&self, path: &str, bytes: Bytes) -> Result<bool>;

    /// Opens `path` for adding lines at its end; each write is one or more whole lines.
    ///
    /// # Errors
    /// If it cannot be written.
    fn appender(&self, path: &str) -> Result<Box<dyn Write + Send>>;

    /// Returns the names directly under `prefix`, sorted; folders end in `/`.
    ///
    /// # Errors
    /// If they cannot be listed; a missing prefix lists nothing.
    fn list(&self, prefix: &str) -> Result<Vec<String>>;

    /// Deletes everything under `prefix`, and what is at it.
    ///
    /// # Errors
    /// If something remains.
    fn delete(&self, prefix: &str) -> Result<()>;

    /// Returns a new, empty local folder for files that will become the artifact folder `path`;
    /// `owner` is the run that makes it, see [`Staging::remove_left`].
    ///
    /// # Errors
    /// If there is no room for one.
    fn staging(&self, path: &str, owner: &str) -> Result<Staging>;

    /// Makes the files of `staging` appear at its path, whole.
    ///
    /// # Errors
    /// If they could not be stored whole.
    fn publish(&self, staging: Staging) -> Result<()>;

    /// Returns a local folder that holds the files of the artifact folder `path`, to be read only.
    ///
    /// # Errors
    /// If they cannot be fetched.
    fn fetch(&self, path: &str) -> Result<PathBuf>;

    /// Keeps whatever is in the store, or is put there, from being collected until the guard is
    /// dropped or this process ends. Waits for a collection that goes on.
    ///
    /// # Errors
    /// If the store cannot be written to.
    fn hold(&self) -> Result<Hold>;

    /// Keeps others from relying on what nothing refers to, until the guard is dropped or this
    /// process ends.
    ///
    /// # Errors
    /// [`StoreError::Beginning`] if somebody does so now.
    fn collecting(&self) -> Result<Hold>;

    /// Takes the lease of a run, which ends with the guard or with this process.
    ///
    /// # Errors
    /// [`StoreError::LeaseHeld`] if another engine has it.
    fn lease(&self, run_id: &str) -> Result<LeaseGuard>;

    /// Returns who drives a run now.
    ///
    /// # Errors
    /// If that cannot be found out.
    fn lease_state(&self, run_id: &str) -> Result<LeaseState>;

    /// Returns what waits for changes in the folder `prefix`.
    ///
    /// # Errors
    /// If it is no path in the store.
    fn watch(&self, prefix: &str) -> Result<Box<dyn Watch>>;
}

/// A local folder in which the files of one artifact version are prepared.
#[derive(Debug)]
pub struct Staging {
    folder: tempfile::TempDir,
    path: String,
    /// Digests of files that were taken while these were written.
    digests: BTreeMap<String, Digest>,
}

impl Staging {
    /// Removes what was prepared for `owner` and not published, by processes that have ended.
    ///
    /// # Errors
    /// If something remains.
    pub fn remove_left(store: &dyn ArtifactStore, owner: &str) -> Result<()> {
        let prefix = layout::staging_prefix(owner);
        for name in store.list(layout::STAGING)? {
            if name.starts_with(&prefix) {
                store.delete(&format!("{}/{}", layout::STAGING, name.trim_end_matches('/')))?;
            }
        }
        Ok(())
    }

    /// Returns the folder to write to.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Notes the digest of a file that was written as a whole, so that it need not be read for that.
    pub fn note_digest(&mut self, file: &str, digest: Digest) {
        self.digests.insert(file.to_owned(), digest);
    }

    /// Returns the digest of a file, if it is known.
    pub(crate) fn known_digest(&self, file: &str) -> Option<Digest> {
        self.digests.get(file).copied()
    }

    /// Returns the same files, to be published elsewhere.
    #[must_use]
    pub fn moved_to(self, path: String) -> Self {
        Self { path, ..self }
    }

    /// Returns the path in the store that the files will have.
    pub fn path(&self) -> &str {
        &self.path
    }
}
