//! `partita stack set`: chooses the active stack.

use crate::context::Context;
use crate::error::CommandError;

/// Chooses the active stack of this source root or, outside of any, of everything else.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The stack.
    #[arg(value_name = "NAME")]
    name: String,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    let stack = session.stack(Some(&args.name))?;
    super::activate(&session, &stack.name, context)
}
