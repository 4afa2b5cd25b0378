//! `partita secret describe`: the keys of a secret and what refers to them.

use partita_engine::metadata::SealedSecrets;

use super::view;
use crate::context::{Context, Output};
use crate::error::CommandError;

/// Shows the keys of a secret and what refers to them, without values.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The secret.
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    let rows = session.home().metadata().secret(&args.name)?;
    for secret in view::secrets(rows) {
        let table = || view::table(std::slice::from_ref(&secret));
        context.show(args.output.output, &secret, table)?;
    }
    Ok(())
}
