//! `partita completions`: prints what a shell needs to complete the command.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::Cli;
use crate::context::Context;
use crate::error::CommandError;

/// Prints the completions of a shell.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The shell.
    shell: Shell,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "partita", &mut script);
    context.stream(|out| out.write_all(&script))
}
