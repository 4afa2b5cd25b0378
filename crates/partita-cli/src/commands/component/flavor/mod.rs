//! `partita orchestrator flavor` and its siblings: the flavors of a component type.

mod delete;
mod describe;
mod list;
mod new;
mod register;
mod test;
mod update;

use clap::Subcommand;
use partita_core::schema::Schema;
use partita_core::stack::{ComponentType, Flavor};

use super::Configuration;
use super::configuration::untypable;
use crate::context::Context;
use crate::error::CommandError;

/// What to do with flavors.
#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Write a flavor to begin with: its code, its tests and what to do with them.
    New(new::Args),
    /// Register a flavor.
    Register(register::Args),
    /// Take in what a registered flavor is now.
    Update(update::Args),
    /// List the flavors.
    List(list::Args),
    /// Show a flavor and the keys of its configuration.
    Describe(describe::Args),
    /// Play the conformance suite on an orchestrator of a flavor.
    Test(test::Args),
    /// Delete a registered flavor.
    Delete(delete::Args),
}

pub(super) fn run(
    kind: ComponentType,
    verb: Verb,
    context: &Context,
    configuration: Configuration,
) -> Result<(), CommandError> {
    match verb {
        Verb::New(args) => new::run(kind, args, context),
        Verb::Register(args) => register::run(kind, args, context),
        Verb::Update(args) => update::run(kind, args, context),
        Verb::List(args) => list::run(kind, args, context),
        Verb::Describe(args) => describe::run(kind, args, context),
        Verb::Test(args) => test::run(kind, args, context, configuration),
        Verb::Delete(args) => delete::run(kind, args, context),
    }
}

/// Refuses component types whose flavors are all built in.
fn check_kind(kind: ComponentType) -> Result<(), CommandError> {
    match kind {
        ComponentType::Orchestrator => Ok(()),
        ComponentType::ArtifactStore
        | ComponentType::ImageBuilder
        | ComponentType::ContainerRegistry => Err(CommandError::usage(format!(
            "flavors of type {kind} are built in; only flavors of orchestrators can be registered"
        ))),
    }
}

/// Refuses a flavor with a key that nobody could ever type.
fn check_keys(flavor: &Flavor) -> Result<(), CommandError> {
    let kind = flavor.component_type;
    let schema = Schema::of(&flavor.config_schema);
    match untypable(kind, schema.names()) {
        None => Ok(()),
        Some((key, why)) => Err(CommandError::failed(format!(
            "the {kind} flavor `{}` has the configuration key `{key}`, which could never be set: {why}; call the key something else",
            flavor.name
        ))),
    }
}
