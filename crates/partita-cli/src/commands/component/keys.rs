//! A flavor's keys on the command line: what was typed as `--key=value`, and what is said of it.

use std::collections::BTreeMap;

use partita_core::literal::Literal;
use partita_core::schema::Schema;
use partita_core::stack::Flavor;

use super::Configuration;
use super::configuration::same_key;
use crate::error::CommandError;

/// Characters of a value that a message shows.
const SHOWN: usize = 80;

/// The keys of a flavor's configuration.
pub(super) struct Keys<'a> {
    flavor: &'a Flavor,
    schema: Schema<'a>,
}

impl<'a> Keys<'a> {
    pub(super) fn of(flavor: &'a Flavor) -> Self {
        Self { flavor, schema: Schema::of(&flavor.config_schema) }
    }

    /// Returns the typed values of what was given.
    pub(super) fn configure(
        &self,
        given: &Configuration,
    ) -> Result<BTreeMap<String, Literal>, CommandError> {
        let mut config = BTreeMap::new();
        let mut before = BTreeMap::new();
        for (typed, text) in given {
            let key = self.key(typed);
            self.check(&key)?;
            let shown = |text: &str| text.chars().take(SHOWN).collect::<String>();
            if let Some(other) = before.insert(key.clone(), text) {
                let (one, two) = (shown(other), shown(text));
                return Err(self.refuse(format!(
                    "`--{typed}` is given twice, as `{one}` and as `{two}`; give it once"
                )));
            }
            let value = self.schema.read(&key, text).map_err(|wrong| {
                self.refuse(format!("`--{typed}={}` is wrong: {wrong}", shown(text)))
            })?;
            config.insert(key, value);
        }
        Ok(config)
    }

    /// Returns the key that was typed: `-` may stand for `_`.
    pub(super) fn key(&self, typed: &str) -> String {
        let is_it = |key: &&str| *key == typed;
        let mut names = self.schema.names();
        let meant =
            names.find(is_it).or_else(|| self.schema.names().find(|key| same_key(typed, key)));
        meant.map_or_else(|| typed.replace('-', "_"), str::to_owned)
    }

    /// Checks that a key is one of the flavor's.
    pub(super) fn check(&self, key: &str) -> Result<(), CommandError> {
        if self.schema.knows(key) {
            return Ok(());
        }
        let Flavor { component_type, name, .. } = self.flavor;
        let meant = self.schema.suggestion(key).replace("mean `", "mean `--");
        Err(self
            .refuse(format!("the {component_type} flavor `{name}` has no key `{key}`; {meant}")))
    }

    /// Checks that no key is missing that the flavor needs.
    pub(super) fn check_required(
        &self,
        config: &BTreeMap<String, Literal>,
    ) -> Result<(), CommandError> {
        let missing = self.schema.missing(config).into_iter().map(|key| format!("`--{key}=VALUE`"));
        let missing: Vec<String> = missing.collect();
        if missing.is_empty() {
            return Ok(());
        }
        let Flavor { component_type, name, .. } = self.flavor;
        let missing = missing.join(" and ");
        Err(self.refuse(format!("the {component_type} flavor `{name}` needs {missing}")))
    }

    /// Returns the error for a configuration that this flavor does not take.
    pub(super) fn refuse(&self, message: String) -> CommandError {
        CommandError::usage(message).help(format!(
            "`partita {} flavor describe {}` shows the keys",
            self.flavor.component_type.verb(),
            self.flavor.name
        ))
    }
}
