//! `partita runs`: looks at runs, continues and deletes them.

mod cancel;
mod delete;
mod describe;
mod left;
mod list;
mod logs;
mod resume;
mod watch;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CommandError;

/// What to do with runs. RUN is a run's name, its id, the beginning of its id, or `latest`.
#[derive(Subcommand)]
pub(crate) enum Verb {
    /// List runs, latest first.
    List(list::Args),
    /// Show a run with its steps.
    Describe(describe::Args),
    /// Print what the steps of a run printed.
    Logs(logs::Args),
    /// Show a run while it goes on elsewhere, to its end.
    Watch(watch::Args),
    /// Ask a run that goes on elsewhere to end, or end the containers that one left.
    Cancel(cancel::Args),
    /// Continue a run that did not complete; finished steps stay finished.
    Resume(resume::Args),
    /// Delete runs; `partita store gc --cache` then removes artifacts that no other run needs.
    Delete(delete::Args),
}

pub(crate) fn run(verb: Verb, context: &Context) -> Result<(), CommandError> {
    match verb {
        Verb::List(args) => list::run(args, context),
        Verb::Describe(args) => describe::run(args, context),
        Verb::Logs(args) => logs::run(args, context),
        Verb::Watch(args) => watch::run(args, context),
        Verb::Cancel(args) => cancel::run(args, context),
        Verb::Resume(args) => resume::run(args, context),
        Verb::Delete(args) => delete::run(args, context),
    }
}
