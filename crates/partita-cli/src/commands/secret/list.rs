//! `partita secret list`: the secrets, without their values.

use super::view;
use crate::context::{Context, Output};
use crate::error::CommandError;

/// Lists the secrets, without values.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let secrets = view::secrets(context.session()?.home().secrets().list()?);
    let none = "there is no secret; `partita secret set NAME KEY` stores one";
    context.show_list(args.output.output, &secrets, || view::table(&secrets), none)
}
