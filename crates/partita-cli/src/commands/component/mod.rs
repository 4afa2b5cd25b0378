//! `partita orchestrator`, `partita artifact-store`, and so every component type: configures the
//! components that stacks are made of.

mod cargo_package;
mod configuration;
mod delete;
mod describe;
mod ending;
mod flavor;
mod keys;
mod left_behind;
mod list;
mod plugin;
mod register;
mod update;
mod view;

use clap::{Command, Subcommand};
use partita_core::stack::{ComponentType, Flavor};

use crate::context::Context;
use crate::error::CommandError;
pub(crate) use configuration::{Configuration, split_configuration};
pub(crate) use plugin::describe_again;
pub(crate) use view::ComponentView;

/// What to do with components of a type.
#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Configure a new component of this type.
    Register(register::Args),
    /// Change the configuration of a component.
    Update(update::Args),
    /// List the components of this type.
    List(list::Args),
    /// Show a component with its configuration.
    Describe(describe::Args),
    /// Delete a component that no stack uses.
    Delete(delete::Args),
    /// Register, change and look at the flavors of this type.
    #[command(subcommand)]
    Flavor(flavor::Verb),
}

/// Says in the help of each component type what its components are called, and that keys of their
/// configuration are options too.
pub(crate) fn with_usage(cli: Command) -> Command {
    ComponentType::ALL.into_iter().fold(cli, |cli, kind| {
        let noun = kind.verb();
        let kinds = format!("{}s", kind.to_string().replace("registry", "registrie"));
        let a = if noun.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
        cli.mut_subcommand(noun, |command| {
            let usage = |words: &str| format!("partita {noun} {words} <NAME> [--KEY=VALUE]...");
            let about = |verb: Command, words: String| verb.about(words.clone()).long_about(words);
            command
                .mut_subcommand("register", |verb| {
                    about(verb, format!("Configure a new {kind}"))
                        .override_usage(usage("register [OPTIONS] --flavor <FLAVOR>"))
                })
                .mut_subcommand("update", |verb| {
                    about(verb, format!("Change the configuration of {a} {kind}"))
                        .override_usage(usage("update [OPTIONS]"))
                })
                .mut_subcommand("list", |verb| about(verb, format!("List the {kinds}")))
                .mut_subcommand("describe", |verb| {
                    about(verb, format!("Show {a} {kind} with its configuration"))
                })
                .mut_subcommand("delete", |verb| {
                    about(verb, format!("Delete {a} {kind} that no stack uses"))
                })
                .mut_subcommand("flavor", |verb| {
                    about(verb, format!("Register, change and look at the flavors of {kinds}"))
                })
        })
    })
}

pub(crate) fn run(
    kind: ComponentType,
    verb: Verb,
    context: &Context,
    configuration: Configuration,
) -> Result<(), CommandError> {
    match verb {
        Verb::Register(args) => register::run(kind, args, context, configuration),
        Verb::Update(args) => update::run(kind, args, context, configuration),
        Verb::List(args) => list::run(kind, args, context),
        Verb::Describe(args) => describe::run(kind, args, context),
        Verb::Delete(args) => delete::run(kind, args, context),
        Verb::Flavor(verb) => flavor::run(kind, verb, context, configuration),
    }
}

/// Returns the flavors that need no registration.
pub(crate) fn built_in_flavors() -> Vec<Flavor> {
    let mut flavors = partita_orchestrators::flavors();
    flavors.extend(partita_engine::home::artifact_store_flavors());
    flavors.extend(partita_images::flavors());
    flavors
}
