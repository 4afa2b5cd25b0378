//! `partita orchestrator delete` and its siblings: deletes a component.

use partita_core::stack::ComponentType;
use partita_engine::metadata::Registry;

use crate::context::Context;
use crate::error::CommandError;

/// Deletes a component that no stack uses. What an artifact store holds stays where it is.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The component.
    #[arg(value_name = "NAME")]
    name: String,
}

pub(crate) fn run(kind: ComponentType, args: Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    session.home().metadata().delete_component(kind, &args.name)?;
    context.say(&format!("the {kind} `{}` is deleted", args.name));
    Ok(())
}
