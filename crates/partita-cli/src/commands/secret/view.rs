//! How secrets are shown: everything but their values.

use partita_cli::span;
use partita_cli::table::Table;
use partita_core::time::Timestamp;
use partita_engine::clock;
use partita_engine::metadata::SecretRow;
use serde::Serialize;

/// A secret; the JSON of `list` and `describe`.
#[derive(Serialize)]
pub(super) struct SecretView {
    pub(super) name: String,
    keys: Vec<KeyView>,
}

#[derive(Serialize)]
struct KeyView {
    key: String,
    reference: String,
    updated_at: Timestamp,
    used_by: Vec<String>,
}

/// Returns the secrets of rows that are sorted by name.
pub(super) fn secrets(rows: Vec<SecretRow>) -> Vec<SecretView> {
    let mut secrets: Vec<SecretView> = Vec::new();
    for SecretRow { reference, updated_at, used_by } in rows {
        let shown = reference.to_string();
        let key = KeyView { key: reference.key, reference: shown, updated_at, used_by };
        match secrets.last_mut().filter(|secret| secret.name == reference.name) {
            Some(secret) => secret.keys.push(key),
            None => secrets.push(SecretView { name: reference.name, keys: vec![key] }),
        }
    }
    secrets
}

pub(super) fn table(secrets: &[SecretView]) -> String {
    let now = clock::now();
    let mut table = Table::new(["reference", "stored", "used by"]);
    for key in secrets.iter().flat_map(|secret| &secret.keys) {
        table.row([key.reference.clone(), span::ago(key.updated_at, now), key.used_by.join(", ")]);
    }
    table.to_text()
}
