//! `partita stack`: chooses and changes stacks.

mod delete;
mod describe;
mod get;
mod list;
mod register;
mod set;
mod update;
mod view;

use std::collections::BTreeMap;

use clap::Subcommand;
use partita_cli::places;
use partita_cli::session::Session;
use partita_core::stack::{Component, Flavor};
use partita_engine::metadata::{Registry, Save, StackReferences};

use crate::commands::component::built_in_flavors;
use crate::context::Context;
use crate::error::CommandError;

/// What to do with stacks.
#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Make a stack of components.
    Register(register::Args),
    /// Change the components of a stack.
    Update(update::Args),
    /// List the stacks.
    List(list::Args),
    /// Show a stack with its components.
    Describe(describe::Args),
    /// Print the name of the active stack.
    Get,
    /// Choose the active stack of this source root.
    Set(set::Args),
    /// Delete a stack; its components stay.
    Delete(delete::Args),
}

pub(crate) fn run(verb: Verb, context: &Context) -> Result<(), CommandError> {
    match verb {
        Verb::Register(args) => register::run(args, context),
        Verb::Update(args) => update::run(args, context),
        Verb::List(args) => list::run(args, context),
        Verb::Describe(args) => describe::run(args, context),
        Verb::Get => get::run(context),
        Verb::Set(args) => set::run(&args, context),
        Verb::Delete(args) => delete::run(&args, context),
    }
}

/// Registers the components that a stack names by a built-in flavor alone: what takes no
/// configuration need not be configured first.
fn register_built_in(
    session: &Session,
    stack: &StackReferences,
    context: &Context,
) -> Result<(), CommandError> {
    let registry = session.home().metadata();
    let flavors = built_in_flavors();
    for (kind, name) in stack.named() {
        let is_there = registry.components(kind)?.iter().any(|known| known.name == name);
        let is_meant =
            |flavor: &&Flavor| flavor.component_type == kind && flavor.name == name && !is_there;
        let Some(flavor) = flavors.iter().find(is_meant) else { continue };
        let component = Component {
            name: name.to_owned(),
            component_type: kind,
            flavor: flavor.name.clone(),
            config: BTreeMap::new(),
        };
        session.check(&component)?;
        registry.save_component(&component, flavor, None, Save::Register)?;
        context.say(&format!("the {kind} `{name}` is registered, with the flavor of that name"));
    }
    Ok(())
}

/// Makes a stack the active one, here or everywhere.
fn activate(session: &Session, name: &str, context: &Context) -> Result<(), CommandError> {
    let config = places::config_file(session.source_root(), session.home().path());
    places::set_active_stack(&config, name).map_err(CommandError::failed)?;
    let place = match session.source_root() {
        Some(root) => format!("in `{}`", root.display()),
        None => "wherever no source root chooses another one".to_owned(),
    };
    context.say(&format!("the active stack is `{name}` now, {place}"));
    Ok(())
}
