//! `partita store path`: where everything is kept.

use partita_cli::places;

use crate::context::Context;
use crate::error::CommandError;

pub(crate) fn run(context: &Context) -> Result<(), CommandError> {
    context.data(&format!("{}\n", places::home().display()))
}
