//! `partita orchestrator flavor` and its siblings: looks at the flavors of a component type.

mod describe;
mod list;

use clap::Subcommand;
use partita_core::stack::ComponentType;

use crate::context::Context;
use crate::error::CommandError;

/// What to do with flavors.
#[derive(Subcommand)]
pub(crate) enum Verb {
    /// List the flavors.
    List(list::Args),
    /// Show a flavor and the keys of its configuration.
    Describe(describe::Args),
}

pub(super) fn run(kind: ComponentType, verb: Verb, context: &Context) -> Result<(), CommandError> {
    match verb {
        Verb::List(args) => list::run(kind, args, context),
        Verb::Describe(args) => describe::run(kind, args, context),
    }
}
