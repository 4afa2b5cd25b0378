//! The rows of secrets.

use partita_core::secret::{self, Reference};
use partita_core::stack::{Component, ComponentType};
use partita_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::registry::components;
use super::{Attempted, Durability, SqliteMetadataStore};
use crate::metadata::error::Result;
use crate::metadata::secrets::{SealedSecrets, SecretRow, check_unused, unknown};

impl SealedSecrets for SqliteMetadataStore {
    fn secrets(&self) -> Result<Vec<SecretRow>> {
        self.read(secrets)
    }

    fn sealed_secret(&self, reference: &Reference) -> Result<Option<Vec<u8>>> {
        self.read(|connection| {
            let sql = "SELECT sealed FROM secrets WHERE name = ? AND key = ?";
            let of = params![reference.name, reference.key];
            Ok(connection.query_row(sql, of, |row| row.get(0)).optional()?)
        })
    }

    fn save_secret(&self, reference: &Reference, sealed: &[u8], now: Timestamp) -> Result<()> {
        self.write(Durability::Power, |transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO secrets (name, key, sealed, updated_at) VALUES (?, ?, ?, ?)",
                params![reference.name, reference.key, sealed, now.0],
            )?;
            Ok(())
        })
    }

    fn delete_secret(&self, name: &str, key: Option<&str>) -> Result<()> {
        self.write(Durability::Power, |transaction| {
            let known = secrets(transaction)?;
            let is_meant = |row: &&SecretRow| {
                row.reference.name == name && key.is_none_or(|key| row.reference.key == key)
            };
            let going: Vec<SecretRow> = known.iter().filter(is_meant).cloned().collect();
            if going.is_empty() {
                return Err(unknown(name, key, &known).into());
            }
            check_unused(name, &going)?;
            for SecretRow { reference, .. } in &going {
                transaction.execute(
                    "DELETE FROM secrets WHERE name = ? AND key = ?",
                    params![reference.name, reference.key],
                )?;
            }
            Ok(())
        })
    }
}

/// Returns the secrets with what refers to them.
pub(super) fn secrets(connection: &Connection) -> Attempted<Vec<SecretRow>> {
    let mut statement = connection
        .prepare_cached("SELECT name, key, updated_at FROM secrets ORDER BY name, key")?;
    let rows = statement.query_map([], |row| {
        Ok(SecretRow {
            reference: Reference { name: row.get(0)?, key: row.get(1)? },
            updated_at: Timestamp(row.get(2)?),
            used_by: Vec::new(),
        })
    })?;
    let mut found: Vec<SecretRow> = rows.collect::<rusqlite::Result<_>>()?;
    if found.is_empty() {
        return Ok(found);
    }
    for kind in ComponentType::ALL {
        for component in components(connection, kind)? {
            note_user(&mut found, &component);
        }
    }
    Ok(found)
}

fn note_user(rows: &mut [SecretRow], component: &Component) {
    let user = format!("{} `{}`", component.component_type, component.name);
    for (_, reference) in secret::of_component(component) {
        let row = rows.iter_mut().find(|row| row.reference == reference);
        if let Some(row) = row.filter(|row| !row.used_by.contains(&user)) {
            row.used_by.push(user.clone());
        }
    }
}
