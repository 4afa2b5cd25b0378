//! `partita artifacts`: looks at the values that steps made.

mod describe;
mod lineage;
mod list;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CommandError;

/// What to do with artifacts.
#[derive(Subcommand)]
pub(crate) enum Verb {
    /// List artifact versions, latest first.
    List(list::Args),
    /// Show an artifact version.
    Describe(describe::Args),
    /// Show where an artifact version comes from and what came of it.
    Lineage(lineage::Args),
}

pub(crate) fn run(verb: Verb, context: &Context) -> Result<(), CommandError> {
    match verb {
        Verb::List(args) => list::run(args, context),
        Verb::Describe(args) => describe::run(args, context),
        Verb::Lineage(args) => lineage::run(args, context),
    }
}
