//! `partita orchestrator flavor delete`: forgets a registered flavor.

use partita_core::stack::ComponentType;
use partita_engine::metadata::Registry;

use crate::commands::component::{built_in_flavors, cargo_package};
use crate::context::Context;
use crate::error::CommandError;

/// Deletes a flavor that no component is an instance of; its implementation stays where it is, unless
/// it was built for it from a package.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The flavor.
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) fn run(kind: ComponentType, args: Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    let metadata = session.home().metadata();
    let flavor = metadata.flavor(kind, &args.name, &built_in_flavors())?;
    metadata.delete_flavor(kind, &args.name, &built_in_flavors())?;
    cargo_package::remove(&flavor, context)?;
    context.say(&format!("the {kind} flavor `{}` is deleted", args.name));
    Ok(())
}
