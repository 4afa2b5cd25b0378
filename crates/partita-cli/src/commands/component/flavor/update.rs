//! `partita orchestrator flavor update`: takes a flavor in anew, and says whom that concerns.

use partita_cli::fit;
use partita_core::stack::{Claims, Component, ComponentType, Flavor};
use partita_engine::metadata::{MetadataError, Registry, Save};
use partita_plugin::Patience;

use crate::commands::component::{built_in_flavors, cargo_package, plugin};
use crate::context::Context;
use crate::error::CommandError;

/// Takes in what a registered flavor is now; says which components no longer validate.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The flavor.
    #[arg(value_name = "NAME")]
    name: String,
    /// Where it is now, if that is another place.
    #[arg(value_name = "SOURCE")]
    source: Option<String>,
}

pub(super) fn run(kind: ComponentType, args: Args, context: &Context) -> Result<(), CommandError> {
    super::check_kind(kind)?;
    let session = context.session()?;
    let metadata = session.home().metadata();
    let before = metadata.flavor(kind, &args.name, &built_in_flavors())?;
    if before.plugin.is_none() {
        return Err(CommandError::failed(format!(
            "the {kind} flavor `{}` is built in, and is updated with Partita itself",
            before.name
        )));
    }
    let described = args.source.map(|source| plugin::describe(&source, context)).transpose()?;
    let flavor = match &described {
        Some(described) => described.flavor.clone(),
        None => plugin::describe_again(&before, Patience::default())?,
    };
    if flavor.name != before.name {
        return Err(CommandError::failed(format!(
            "`{}` is the flavor `{}`, not `{}`; register it with `partita {} flavor register`",
            flavor.source,
            flavor.name,
            before.name,
            kind.verb()
        )));
    }
    super::check_keys(&flavor)?;
    metadata.save_flavor(&flavor, &built_in_flavors(), Save::Update(&before))?;
    if let Some(described) = described {
        described.keep();
        cargo_package::remove(&before, context)?;
    }
    context.say(&format!("the {kind} flavor `{}` is updated", flavor.name));
    let components = metadata.components(kind)?;
    for component in components.iter().filter(|component| component.flavor == flavor.name) {
        let claims = check_again(&flavor, component, context);
        match metadata.save_component(component, &flavor, claims, Save::Update(component)) {
            // Whoever has changed it since has checked it with the flavor as it is now.
            Ok(()) | Err(MetadataError::Changed { .. }) => {}
            Err(error) => context.warn(&error.to_string()),
        }
    }
    Ok(())
}

/// Returns what the flavor says of a component now; what is wrong with it is warned of.
fn check_again(flavor: &Flavor, component: &Component, context: &Context) -> Option<Claims> {
    if let Err(unfit) = fit::check(component, flavor) {
        context.warn(&unfit.to_string());
        return None;
    }
    plugin::check_again(flavor, &component.config, context).unwrap_or_else(|problems| {
        let (kind, name) = (component.component_type, &component.name);
        context.warn(&format!(
            "the {kind} `{name}` no longer validates: {problems}; change it with `{}`",
            fit::mend(component, &[])
        ));
        None
    })
}
