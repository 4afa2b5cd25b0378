//! A flavor's keys on the command line: what was typed as `--key=value`, and what is said of it.

use std::collections::BTreeMap;

use partita_core::literal::Literal;
use partita_core::schema::Schema;
use partita_core::stack::Flavor;

use super::Configuration;
use crate::error::CommandError;

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
        for (key, text) in given {
            self.check(key)?;
            let value = self.schema.read(key, text).map_err(|expected| {
                let shown: String = text.chars().take(80).collect();
                self.refuse(format!("`--{key}={shown}` is wrong: `{key}` is {expected}"))
            })?;
            config.insert(key.clone(), value);
        }
        Ok(config)
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

    /// Returns everything that is wrong with a configuration.
    pub(super) fn problems(&self, config: &BTreeMap<String, Literal>) -> Vec<String> {
        self.schema.problems(config)
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
