//! The secrets of a home.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use partita_core::deployment::Deployment;
use partita_core::diagnostic::{Diagnostic, Report};
use partita_core::name::nearest;
use partita_core::secret::{self, Reference, Use, check_word};
use secrecy::{ExposeSecret, SecretString};

use super::vault::Vault;
use super::{SecretError, Secrets};
use crate::clock;
use crate::metadata::{SealedSecrets, SecretRow, missing_secret};

/// Fewest bytes of a value.
pub const SHORTEST: usize = 4;
/// Most bytes of a value.
pub const LONGEST: usize = 16 << 10;
/// Characters of a refused word that a message shows.
const SHOWN: usize = 80;

/// Stores, lists, deletes and resolves secrets.
pub struct SecretStore<'a> {
    home: &'a Path,
    sealed: &'a dyn SealedSecrets,
}

/// Checks a value's length.
///
/// # Errors
/// [`SecretError::TooShort`] or [`SecretError::TooLong`].
pub fn check_value(value: &SecretString) -> Result<(), SecretError> {
    match value.expose_secret().len() {
        length if length < SHORTEST => Err(SecretError::TooShort(length)),
        length if length > LONGEST => Err(SecretError::TooLong(length)),
        _ => Ok(()),
    }
}

impl<'a> SecretStore<'a> {
    pub(crate) fn new(home: &'a Path, sealed: &'a dyn SealedSecrets) -> Self {
        Self { home, sealed }
    }

    /// Returns the reference to a value, by words that someone typed.
    ///
    /// # Errors
    /// [`SecretError::BadWord`] if one can be no name or key.
    pub fn reference(name: &str, key: &str) -> Result<Reference, SecretError> {
        for (what, word) in [("name", name), ("key", key)] {
            check_word(word).map_err(|reason| SecretError::BadWord {
                what,
                word: word.chars().take(SHOWN).collect(),
                reason,
            })?;
        }
        Ok(Reference { name: name.to_owned(), key: key.to_owned() })
    }

    /// Stores a value, in place of the one that is there.
    ///
    /// # Errors
    /// If the value is too short or too long, or cannot be stored.
    pub fn set(&self, reference: &Reference, value: &SecretString) -> Result<(), SecretError> {
        check_value(value)?;
        // The key comes first: a value without its key would be lost.
        let sealed = Vault::open_or_make(self.home)?.seal(reference, value)?;
        Ok(self.sealed.save_secret(reference, &sealed, clock::now())?)
    }

    /// Returns what is stored, by name and key, without values.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn list(&self) -> Result<Vec<SecretRow>, SecretError> {
        Ok(self.sealed.secrets()?)
    }

    /// Deletes a value, or all of a secret.
    ///
    /// # Errors
    /// If there is none, or a component uses it.
    pub fn delete(&self, name: &str, key: Option<&str>) -> Result<(), SecretError> {
        Ok(self.sealed.delete_secret(name, key)?)
    }

    /// Checks that everything that a deployment refers to is there. One that refers to nothing costs
    /// no look.
    ///
    /// # Errors
    /// [`SecretError::Missing`] with everything that is not there, or if the secrets cannot be read.
    pub fn check(&self, deployment: &Deployment) -> Result<(), SecretError> {
        let uses = secret::uses(deployment);
        if uses.is_empty() {
            return Ok(());
        }
        let known = self.list()?.into_iter().map(|row| row.reference);
        let known: BTreeMap<Reference, String> =
            known.map(|reference| (reference.clone(), reference.to_string())).collect();
        let missing = uses.iter().filter(|used| !known.contains_key(&used.reference));
        let problems: Vec<Diagnostic> = missing.map(|used| problem(used, &known)).collect();
        if problems.is_empty() { Ok(()) } else { Err(SecretError::Missing(Report { problems })) }
    }

    /// Returns the values that a deployment refers to; `None` if it refers to none.
    ///
    /// # Errors
    /// If one is not there or cannot be decrypted.
    pub fn resolve(&self, deployment: &Deployment) -> Result<Option<Secrets>, SecretError> {
        let uses = secret::uses(deployment);
        let references: BTreeSet<Reference> = uses.into_iter().map(|used| used.reference).collect();
        if references.is_empty() {
            return Ok(None);
        }
        Secrets::new(self.values(references)?).map(Some)
    }

    /// Sees whether everything that is stored can be decrypted, and returns how much that is.
    ///
    /// # Errors
    /// [`SecretError::BadKey`] or [`SecretError::Undecipherable`] with what is in the way first.
    pub fn check_all(&self) -> Result<usize, SecretError> {
        let known: BTreeSet<Reference> =
            self.list()?.into_iter().map(|row| row.reference).collect();
        self.values(known).map(|values| values.len())
    }

    pub(super) fn values(
        &self,
        references: BTreeSet<Reference>,
    ) -> Result<BTreeMap<Reference, SecretString>, SecretError> {
        let mut values = BTreeMap::new();
        let mut vault = None;
        for reference in references {
            let sealed = self.sealed.sealed_secret(&reference)?.ok_or_else(|| {
                let known = self.sealed.secrets().unwrap_or_default();
                missing_secret(&reference, &known)
            })?;
            let vault = match &vault {
                Some(vault) => vault,
                None => vault.insert(Vault::open(self.home)?),
            };
            values.insert(reference.clone(), vault.unseal(&reference, &sealed)?);
        }
        Ok(values)
    }
}

/// Says that a secret is not there, and how to store it.
fn problem(used: &Use, known: &BTreeMap<Reference, String>) -> Diagnostic {
    let Use { reference, taker, input } = used;
    let meant = nearest(&reference.to_string(), known.values().map(String::as_str))
        .map(|meant| format!(" (did you mean `{meant}`?)"))
        .unwrap_or_default();
    let Reference { name, key } = reference;
    Diagnostic::new(format!(
        "{taker} takes the secret `{reference}` as `{input}`, and there is no such secret{meant}"
    ))
    .help(format!("store it with `partita secret set {name} {key}`"))
}
