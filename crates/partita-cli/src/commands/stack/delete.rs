//! `partita stack delete`: deletes a stack.

use partita_engine::metadata::Registry;

use crate::context::Context;
use crate::error::CommandError;

/// Deletes a stack; its components stay.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The stack.
    #[arg(value_name = "NAME")]
    name: String,
}

pub(crate) fn run(args: &Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    let stack = session.stack(Some(&args.name))?;
    if session.active_stack()? == stack.name && stack.name != partita_engine::metadata::DEFAULT {
        return Err(CommandError::failed(format!("the stack `{}` is the active one", stack.name))
            .help("choose another one first, as in `partita stack set default`"));
    }
    session.home().metadata().delete_stack(&stack.name)?;
    context.say(&format!("the stack `{}` is deleted", stack.name));
    Ok(())
}
