//! `partita completions`: prints what a shell needs to complete the command.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::Cli;
use crate::context::Context;
use crate::error::CommandError;

/// How a shell is made to read its completions, each time it starts.
const HELP: &str = "\
Put a line into the file that your shell reads when it starts:
  bash  source <(partita completions bash)    into ~/.bashrc
  zsh   source <(partita completions zsh)     into ~/.zshrc, after `compinit`
  fish  partita completions fish | source     into ~/.config/fish/config.fish";

/// Prints the completions of a shell.
#[derive(clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    /// The shell.
    shell: Shell,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "partita", &mut script);
    context.stream(|out| out.write_all(&script))
}
