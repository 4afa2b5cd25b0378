//! Secrets as the metadata store keeps them: encrypted, and never looked into.

use partita_core::name;
use partita_core::secret::{self, Reference};
use partita_core::stack::Component;
use partita_core::time::Timestamp;

use super::error::{MetadataError, Result};
use super::registry::Item;

/// What is known of a secret without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRow {
    /// Its name, and one of its keys.
    pub reference: Reference,
    /// When the value was stored.
    pub updated_at: Timestamp,
    /// The components that refer to it, such as ``orchestrator `gpu` ``.
    pub used_by: Vec<String>,
}

/// Keeps secrets, encrypted by whoever stores them.
pub trait SealedSecrets: Send + Sync {
    /// Returns the secrets, by name and key, without their values.
    ///
    /// # Errors
    /// If they could not be read.
    fn secrets(&self) -> Result<Vec<SecretRow>>;

    /// Returns the encrypted value of a secret, if there is one.
    ///
    /// # Errors
    /// If it could not be read.
    fn sealed_secret(&self, reference: &Reference) -> Result<Option<Vec<u8>>>;

    /// Stores the encrypted value of a secret, in place of the one that is there.
    ///
    /// # Errors
    /// If it could not be written.
    fn save_secret(&self, reference: &Reference, sealed: &[u8], now: Timestamp) -> Result<()>;

    /// Deletes the secret `name`, or one key of it.
    ///
    /// # Errors
    /// If it is not there, or a component refers to it.
    fn delete_secret(&self, name: &str, key: Option<&str>) -> Result<()>;

    /// Returns the keys of the secret with this name, without their values.
    ///
    /// # Errors
    /// [`MetadataError::NotFound`] if there is none.
    fn secret(&self, name: &str) -> Result<Vec<SecretRow>> {
        let (found, others): (Vec<_>, Vec<_>) =
            self.secrets()?.into_iter().partition(|row| row.reference.name == name);
        if found.is_empty() { Err(unknown(name, None, &others)) } else { Ok(found) }
    }
}

/// Returns the error for a value that is not there.
pub(crate) fn missing(reference: &Reference, known: &[SecretRow]) -> MetadataError {
    let known: Vec<String> = known.iter().map(|row| row.reference.to_string()).collect();
    let asked = reference.to_string();
    MetadataError::NotFound {
        what: "secret".to_owned(),
        nearest: name::nearest(&asked, known.iter().map(String::as_str)).map(str::to_owned),
        name: asked,
        help: format!(
            "`partita secret list` shows them all, and `partita secret set {} {}` stores this one",
            reference.name, reference.key
        ),
    }
}

/// Returns the error for a name, or a key of it, that is not there.
pub(super) fn unknown(name: &str, key: Option<&str>, known: &[SecretRow]) -> MetadataError {
    let words = |row: &SecretRow| match key {
        Some(_) => format!("{}.{}", row.reference.name, row.reference.key),
        None => row.reference.name.clone(),
    };
    let known: Vec<String> = known.iter().map(words).collect();
    let asked = key.map_or_else(|| name.to_owned(), |key| format!("{name}.{key}"));
    MetadataError::NotFound {
        what: "secret".to_owned(),
        nearest: name::nearest(&asked, known.iter().map(String::as_str)).map(str::to_owned),
        name: asked,
        help: "`partita secret list` shows them all".to_owned(),
    }
}

/// Refuses to delete values that components refer to.
pub(super) fn check_unused(name: &str, going: &[SecretRow]) -> Result<()> {
    let mut users: Vec<String> = going.iter().flat_map(|row| row.used_by.clone()).collect();
    users.sort();
    users.dedup();
    if users.is_empty() {
        return Ok(());
    }
    let help = "change what refers to it first, or store another value with `partita secret set`";
    Err(MetadataError::InUse {
        what: "secret".to_owned(),
        name: name.to_owned(),
        users,
        help: help.to_owned(),
    })
}

/// Checks that a component refers to secrets that are there, and to nothing by halves.
pub(super) fn check_component(component: &Component, known: &[SecretRow]) -> Result<()> {
    for (key, literal) in &component.config {
        if let Some(mixed) = secret::mixed(literal) {
            let reason = format!(
                "`{key}` is `{mixed}`, and a reference to a secret stands for a whole value"
            );
            let help = "store all of it as the secret, and refer to that alone";
            return Err(Item::Component(component.component_type).invalid(
                &component.name,
                reason,
                help,
            ));
        }
    }
    for (_, reference) in secret::of_component(component) {
        if known.iter().all(|row| row.reference != reference) {
            return Err(missing(&reference, known));
        }
    }
    Ok(())
}
