//! The embedded metadata store: one SQLite file in the home.

mod apply;
mod index;
mod migrations;
mod queries;
mod record;
mod registry;
mod secrets;
mod steps;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::error::{MetadataError, Result};

/// How long a statement waits for other processes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Statements that stay prepared.
const STATEMENTS: usize = 64;
/// Bytes of the write-ahead log above which it is moved into the database when that is closed.
/// Moving costs disk flushes at the end of a process, some 3 ms whatever its size; leaving costs
/// reading at the start of every process, 0.4 ms for 1 MiB. A small run adds 70 KiB.
const LOG_SIZE: u64 = 1 << 19;

/// Pages of the write-ahead log that SQLite by itself moves into the database while a run goes on:
/// 64 MiB of them. Moving flushes the disk, and the run that crosses the limit waits for that.
const PAGES_BETWEEN_CHECKPOINTS: u32 = 1 << 14;

/// Keeps the registry and the index of runs in one SQLite file.
#[derive(Debug)]
pub struct SqliteMetadataStore {
    path: PathBuf,
    connection: Mutex<Connection>,
}

/// What a write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durability {
    /// The death of any process: enough for what can be made again.
    Process,
    /// The loss of power as well.
    Power,
}

/// What can go wrong inside a transaction.
#[derive(Debug)]
enum Trouble {
    Sqlite(rusqlite::Error),
    Refused(MetadataError),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<MetadataError> for Trouble {
    fn from(error: MetadataError) -> Self {
        Self::Refused(error)
    }
}

type Attempted<T> = std::result::Result<T, Trouble>;

impl Drop for SqliteMetadataStore {
    fn drop(&mut self) {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        if std::fs::metadata(log).is_ok_and(|log| log.len() > LOG_SIZE) {
            let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
            // Where others use the database, one of them will do it.
            let _ = connection.busy_timeout(Duration::ZERO);
            let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }
}

impl SqliteMetadataStore {
    /// Opens the database at `path`, making it and its folder if they are not there.
    ///
    /// # Errors
    /// [`MetadataError::Newer`], [`MetadataError::Corrupt`], [`MetadataError::ReadOnly`] or what
    /// else kept it from being opened.
    pub fn open(path: &Path) -> Result<Self> {
        let told = |trouble| match trouble {
            Trouble::Sqlite(error) => MetadataError::of_sqlite(path, &error),
            Trouble::Refused(error) => error,
        };
        let mut connection = connect(path).map_err(told)?;
        migrations::run(&mut connection, path).map_err(told)?;
        Ok(Self { path: path.to_owned(), connection: Mutex::new(connection) })
    }

    /// Returns where the database is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads in one snapshot.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> Attempted<T>) -> Result<T> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = |connection: &mut Connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
            work(&transaction)
        };
        attempt(&mut connection).map_err(|trouble| self.told(trouble))
    }

    /// Writes all or nothing, waiting for other processes that write.
    fn write<T>(
        &self,
        durability: Durability,
        work: impl FnOnce(&Transaction<'_>) -> Attempted<T>,
    ) -> Result<T> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let attempt = || {
            if durability == Durability::Power {
                connection.pragma_update(None, "synchronous", "FULL")?;
            }
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        let outcome = attempt();
        if durability == Durability::Power {
            // If this fails, later writes are merely safer than they need to be.
            let _ = connection.pragma_update(None, "synchronous", "NORMAL");
        }
        outcome.map_err(|trouble| self.told(trouble))
    }

    fn told(&self, trouble: Trouble) -> MetadataError {
        match trouble {
            Trouble::Sqlite(error) => MetadataError::of_sqlite(&self.path, &error),
            Trouble::Refused(error) => error,
        }
    }
}

fn connect(path: &Path) -> Attempted<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match Connection::open_with_flags(path, flags) {
        Ok(connection) => connection,
        Err(_) => {
            make_folder(path)?;
            Connection::open_with_flags(path, flags)?
        }
    };
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", PAGES_BETWEEN_CHECKPOINTS)?;
    Ok(connection)
}

fn make_folder(path: &Path) -> Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| MetadataError::of_folder(path, &error))
}
