//! `partita store`: looks after what is stored.

mod gc;
mod path;
mod rebuild;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CommandError;

/// What to do with what is stored.
#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Make the index of runs, artifacts and lineage again from the artifact stores.
    Rebuild(rebuild::Args),
    /// Remove artifacts that no run and no cache entry needs.
    Gc(gc::Args),
    /// Print where everything is kept.
    Path,
}

pub(crate) fn run(verb: Verb, context: &Context) -> Result<(), CommandError> {
    match verb {
        Verb::Rebuild(args) => rebuild::run(&args, context),
        Verb::Gc(args) => gc::run(&args, context),
        Verb::Path => path::run(context),
    }
}
