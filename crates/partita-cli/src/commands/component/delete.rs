//! `partita orchestrator delete` and its siblings: deletes a component.

use partita_core::stack::ComponentType;
use partita_engine::metadata::Registry;

use super::left_behind;
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
    let metadata = session.home().metadata();
    let before = metadata.components(kind)?.into_iter().find(|known| known.name == args.name);
    metadata.delete_component(kind, &args.name)?;
    context.say(&format!("the {kind} `{}` is deleted", args.name));
    before.map_or(Ok(()), |before| left_behind::warn(&before, &session, context))
}
