//! Asks the implementation of a flavor, where there is one that can be asked.

use std::collections::BTreeMap;
use std::path::Path;

use partita_core::literal::Literal;
use partita_core::stack::{Flavor, Origin};
use partita_plugin::message::Problem;
use partita_plugin::{Patience, Registration, RegistrationError, Start, digest_of};

use super::keys::Keys;
use crate::context::Context;
use crate::error::CommandError;

impl From<RegistrationError> for CommandError {
    fn from(error: RegistrationError) -> Self {
        Self::failed(error.to_string())
    }
}

/// Returns the flavor that a source implements.
pub(super) fn describe(source: &str) -> Result<Flavor, CommandError> {
    let path = std::path::absolute(source)
        .map_err(|error| CommandError::usage(format!("`{source}` is no path: {error}")))?;
    describe_executable(&path).map_err(CommandError::from)
}

fn describe_executable(path: &Path) -> Result<Flavor, RegistrationError> {
    let start = Start::executable(path)?;
    let digest = digest_of(path)?;
    let plugin = Registration::open(&start, Patience::default())?;
    plugin.describe(path.display().to_string(), Origin::Executable { digest })
}

/// Returns what a flavor's own checks find wrong with a configuration, or `None` for one that has
/// none, or that cannot be asked: that is warned of.
fn problems(
    flavor: &Flavor,
    config: &BTreeMap<String, Literal>,
    context: &Context,
) -> Option<Vec<Problem>> {
    flavor.plugin.as_ref()?;
    let asked = Start::of(flavor)
        .map_err(RegistrationError::from)
        .and_then(|start| Registration::open(&start, Patience::default())?.validate(config));
    match asked {
        Ok(problems) => Some(problems),
        Err(error) => {
            context.warn(&format!(
                "the configuration is checked against the stored schema alone: {error}"
            ));
            None
        }
    }
}

/// Checks a configuration that fits its flavor's schema with the flavor's own checks, where that is
/// possible.
pub(super) fn check(
    flavor: &Flavor,
    config: &BTreeMap<String, Literal>,
    context: &Context,
) -> Result<(), CommandError> {
    let problems = problems(flavor, config, context).unwrap_or_default();
    if problems.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = problems.iter().map(told).collect();
    Err(Keys::of(flavor).refuse(format!("the configuration is wrong: {}", told.join("; "))))
}

/// Returns everything that is wrong with the configuration of a component of a flavor.
pub(super) fn all_problems(
    flavor: &Flavor,
    config: &BTreeMap<String, Literal>,
    context: &Context,
) -> Vec<String> {
    let problems_of_schema = Keys::of(flavor).problems(config);
    if !problems_of_schema.is_empty() {
        return problems_of_schema;
    }
    problems(flavor, config, context).unwrap_or_default().iter().map(told).collect()
}

fn told(problem: &Problem) -> String {
    match &problem.field {
        Some(field) => format!("`{field}`: {}", problem.message),
        None => problem.message.clone(),
    }
}
