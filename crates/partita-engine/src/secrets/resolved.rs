//! The values of the secrets that a run, or one step of it, uses.

use std::borrow::Cow;
use std::collections::BTreeMap;

use partita_core::literal::Literal;
use partita_core::run::Failure;
use partita_core::secret::{self, Reference};
use partita_core::stack::Component;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::{Redactor, SecretError};

/// Values of secrets, and what takes them out of text.
#[derive(Debug, Default)]
pub struct Secrets {
    values: BTreeMap<Reference, SecretString>,
    redactor: Option<Redactor>,
}

impl Secrets {
    /// Returns these values.
    ///
    /// # Errors
    /// [`SecretError::TooMany`] if they could not be taken out of text.
    pub fn new(values: BTreeMap<Reference, SecretString>) -> Result<Self, SecretError> {
        let shown = values.iter().map(|(reference, value)| (reference, value.expose_secret()));
        let redactor = if values.is_empty() { None } else { Some(Redactor::of(shown)?) };
        Ok(Self { values, redactor })
    }

    /// Returns what finds the values; `None` if there are none.
    pub fn redactor(&self) -> Option<&Redactor> {
        self.redactor.as_ref()
    }

    /// Returns the literal with values in place of references.
    ///
    /// # Errors
    /// [`SecretError::NotHanded`] if one is not among these.
    pub fn fill(&self, literal: &Literal) -> Result<Literal, SecretError> {
        secret::filled(literal, |reference| {
            let value = self.values.get(reference);
            let value = value.ok_or_else(|| SecretError::NotHanded(reference.to_string()))?;
            Ok(value.expose_secret().to_owned())
        })
    }

    /// Returns the component as its implementation gets it, with values in place of references.
    ///
    /// # Errors
    /// [`SecretError::NotHanded`] if one is not among these.
    pub fn fill_component(&self, component: &Component) -> Result<Component, SecretError> {
        let mut filled = component.clone();
        for literal in filled.config.values_mut() {
            *literal = self.fill(literal)?;
        }
        Ok(filled)
    }

    /// Returns the text without values.
    pub fn redacted<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match &self.redactor {
            Some(redactor) => redactor.text(text),
            None => Cow::Borrowed(text),
        }
    }

    /// Takes values out of what is told of a failure.
    pub(crate) fn redact_failure(&self, failure: &mut Failure) {
        let told = [&mut failure.kind, &mut failure.message];
        for text in told.into_iter().chain(failure.traceback.as_mut()) {
            if let Cow::Owned(redacted) = self.redacted(text) {
                *text = redacted;
            }
        }
    }

    /// Takes values out of metadata.
    pub(crate) fn redact_metadata(&self, metadata: &mut BTreeMap<String, Literal>) {
        let all = std::mem::take(metadata).into_iter();
        *metadata = all
            .map(|(key, value)| (self.redacted(&key).into_owned(), self.literal(value)))
            .collect();
    }

    fn literal(&self, literal: Literal) -> Literal {
        let Cow::Owned(redacted) = self.redacted(literal.text()) else { return literal };
        // A number that holds a value is no number without it.
        Literal::parse(&redacted)
            .or_else(|_| Literal::parse(&serde_json::Value::from(redacted).to_string()))
            .unwrap_or(literal)
    }

    /// Returns those of these references, as a process of a step is handed them.
    ///
    /// # Errors
    /// [`SecretError::NotHanded`] if one is not among these.
    pub fn encode<'a>(
        &self,
        references: impl IntoIterator<Item = &'a Reference>,
    ) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        let mut handed = Vec::new();
        for reference in references {
            let value = self.values.get(reference);
            let value = value.ok_or_else(|| SecretError::NotHanded(reference.to_string()))?;
            handed.push((&reference.name, &reference.key, value.expose_secret()));
        }
        Ok(Zeroizing::new(serde_json::to_vec(&handed)?))
    }

    /// Reads what a process was handed.
    ///
    /// # Errors
    /// [`SecretError::Malformed`] if it is none, and as for [`Self::new`].
    pub fn decode(handed: &[u8]) -> Result<Self, SecretError> {
        let handed: Vec<(String, String, String)> = serde_json::from_slice(handed)?;
        let values = handed
            .into_iter()
            .map(|(name, key, value)| (Reference { name, key }, SecretString::from(value)));
        Self::new(values.collect())
    }
}
