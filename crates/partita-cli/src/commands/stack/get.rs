//! `partita stack get`: the name of the active stack.

use crate::context::Context;
use crate::error::CommandError;

pub(crate) fn run(context: &Context) -> Result<(), CommandError> {
    let stack = context.session()?.stack(None)?;
    context.data(&format!("{}\n", stack.name))
}
