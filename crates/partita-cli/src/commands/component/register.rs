//! `partita orchestrator register` and its siblings: configures a new component.

use partita_cli::terminal::shell_word;
use partita_core::stack::{Component, ComponentType};
use partita_engine::metadata::{Registry, Save};

use super::{Configuration, built_in_flavors, keys::Keys, plugin};
use crate::context::Context;
use crate::error::CommandError;

/// Configures a new component. Keys of its flavor's configuration are options too, as in
/// `--path=/data`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The new component's name.
    #[arg(value_name = "NAME")]
    name: String,
    /// Its flavor; `flavor list` shows them all, and `flavor describe` their keys.
    #[arg(long, short, value_name = "FLAVOR")]
    flavor: String,
}

pub(crate) fn run(
    kind: ComponentType,
    args: Args,
    context: &Context,
    configuration: Configuration,
) -> Result<(), CommandError> {
    let session = context.session()?;
    let flavor = session.home().metadata().flavor(kind, &args.flavor, &built_in_flavors())?;
    let keys = Keys::of(&flavor);
    let config = keys.configure(&configuration)?;
    keys.check_required(&config)?;
    let component =
        Component { name: args.name, component_type: kind, flavor: flavor.name.clone(), config };
    session.check(&component)?;
    let claims = plugin::check(&flavor, &component.config, context)?;
    session.home().metadata().save_component(&component, &flavor, claims, Save::Register)?;
    let name = shell_word(&component.name);
    let used = match kind {
        ComponentType::Orchestrator => format!("-o {name} -a default"),
        ComponentType::ArtifactStore => format!("-o default -a {name}"),
        ComponentType::ImageBuilder => format!("-o default -a default -i {name}"),
        ComponentType::ContainerRegistry => format!("-o default -a default -c {name}"),
    };
    context.say(&format!(
        "the {kind} `{}` is registered; `partita stack register NAME {used}` makes a stack with it",
        component.name
    ));
    Ok(())
}
