//! Brings a database to the version that this code knows, in one step that no one sees half of.

use std::path::Path;
use std::time::{Duration, Instant};

use partita_core::digest::Digest;
use rusqlite::{Connection, ErrorCode, TransactionBehavior, params};

use super::{Attempted, PATIENCE, Trouble};
use crate::clock;
use crate::metadata::error::MetadataError;

/// What each version adds to the one before it; the first is version 1. Never changed, only added to.
const MIGRATIONS: [(&str, &str); 6] = [
    ("0001_registry", include_str!("../migrations/0001_registry.sql")),
    ("0002_runs", include_str!("../migrations/0002_runs.sql")),
    ("0003_items", include_str!("../migrations/0003_items.sql")),
    ("0004_plugins", include_str!("../migrations/0004_plugins.sql")),
    ("0005_secrets", include_str!("../migrations/0005_secrets.sql")),
    ("0006_claims", include_str!("../migrations/0006_claims.sql")),
];

/// The version of a database on which every migration has run.
pub(super) const LATEST: i64 = MIGRATIONS.len() as i64;

/// Holds which migrations ran, and their texts' digests, so that a changed one is noticed.
const LEDGER: &str = "CREATE TABLE IF NOT EXISTS migrations (
    version    INTEGER NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT";

/// Runs the migrations that the database lacks.
pub(super) fn run(connection: &mut Connection, path: &Path) -> Attempted<()> {
    if version(connection, path)? == LATEST {
        return Ok(());
    }
    log_ahead(connection)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Exclusive)?;
    let present = version(&transaction, path)?;
    if present == 0 {
        refuse_others(&transaction, path)?;
    }
    transaction.execute_batch(LEDGER)?;
    for (number, (name, sql)) in (1_i64..).zip(MIGRATIONS) {
        let checksum = Digest::of(sql.as_bytes()).to_string();
        if number <= present {
            verify(&transaction, path, number, &checksum)?;
            continue;
        }
        transaction.execute_batch(sql)?;
        transaction.execute(
            "INSERT INTO migrations (version, name, checksum, applied_at) VALUES (?, ?, ?, ?)",
            params![number, name, checksum, clock::now().0],
        )?;
    }
    transaction.pragma_update(None, "user_version", LATEST)?;
    transaction.commit()?;
    Ok(())
}

fn version(connection: &Connection, path: &Path) -> Attempted<i64> {
    let found = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > LATEST {
        let path = path.display().to_string();
        return Err(MetadataError::Newer { path, found, known: LATEST }.into());
    }
    Ok(found)
}

/// Switches to write-ahead logging, in which readers and the writer do not wait for one another.
///
/// SQLite does not wait by itself where two processes do this to a new file at once.
fn log_ahead(connection: &Connection) -> Attempted<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())) {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(2));
            }
            outcome => return outcome.map_err(Trouble::from),
        }
    }
}

/// Refuses a database that some other program made.
fn refuse_others(connection: &Connection, path: &Path) -> Attempted<()> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        return Ok(());
    }
    let reason = "it holds the tables of another program".to_owned();
    Err(MetadataError::Corrupt { path: path.display().to_string(), reason }.into())
}

fn verify(connection: &Connection, path: &Path, number: i64, checksum: &str) -> Attempted<()> {
    let found: String = connection.query_row(
        "SELECT checksum FROM migrations WHERE version = ?",
        [number],
        |row| row.get(0),
    )?;
    if found == checksum {
        return Ok(());
    }
    let reason = format!("its version {number} was made by another build of Partita");
    Err(MetadataError::Corrupt { path: path.display().to_string(), reason }.into())
}
