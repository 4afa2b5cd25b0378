//! `partita secret`: stores what documents refer to as `{{NAME.KEY}}`, and never shows it.

mod delete;
mod describe;
mod list;
mod set;
mod view;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CommandError;

/// What to do with secrets.
#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Store a value, which is asked for or read from standard input.
    Set(set::Args),
    /// List the secrets, without values.
    List(list::Args),
    /// Show the keys of a secret and what refers to them, without values.
    Describe(describe::Args),
    /// Delete a secret, or one key of it.
    Delete(delete::Args),
}

pub(crate) fn run(verb: Verb, context: &Context) -> Result<(), CommandError> {
    match verb {
        Verb::Set(args) => set::run(&args, context),
        Verb::List(args) => list::run(args, context),
        Verb::Describe(args) => describe::run(args, context),
        Verb::Delete(args) => delete::run(&args, context),
    }
}
