//! `partita orchestrator update` and its siblings: changes a component's configuration.

use partita_core::stack::ComponentType;
use partita_engine::metadata::{Registry, Save};

use super::{Configuration, built_in_flavors, keys::Keys, left_behind, plugin};
use crate::context::Context;
use crate::error::CommandError;

/// Changes the configuration of a component; keys that are not given stay as they are.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The component.
    #[arg(value_name = "NAME")]
    name: String,
    /// A key that gets its default again; may be repeated.
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
}

pub(crate) fn run(
    kind: ComponentType,
    args: Args,
    context: &Context,
    configuration: Configuration,
) -> Result<(), CommandError> {
    let session = context.session()?;
    let mut component = session.home().metadata().component(kind, &args.name)?;
    if configuration.is_empty() && args.unset.is_empty() {
        return Err(CommandError::usage(
            "nothing to change is given; write `--KEY=VALUE` or `--unset KEY`",
        )
        .help(format!(
            "`partita {} flavor describe {}` shows the keys",
            kind.verb(),
            component.flavor
        )));
    }
    let flavor = session.home().metadata().flavor(kind, &component.flavor, &built_in_flavors())?;
    let keys = Keys::of(&flavor);
    let before = component.clone();
    for key in &args.unset {
        // A key that the flavor has no more can be taken away all the same.
        let meant = keys.key(key);
        let removed = component.config.remove(key).or_else(|| component.config.remove(&meant));
        if removed.is_none() {
            keys.check(&meant)?;
        }
    }
    component.config.extend(keys.configure(&configuration)?);
    keys.check_required(&component.config)?;
    session.check(&component)?;
    let claims = plugin::check(&flavor, &component.config, context)?;
    let save = Save::Update(&before);
    session.home().metadata().save_component(&component, &flavor, claims, save)?;
    context.say(&format!("the {kind} `{}` is changed", component.name));
    left_behind::warn(&before, &session, context)
}
