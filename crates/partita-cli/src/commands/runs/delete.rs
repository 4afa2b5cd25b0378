//! `partita runs delete`: deletes runs.

use partita_cli::session::Session;
use partita_core::status::RunStatus;
use partita_engine::metadata::RunSummary;

use super::left;
use crate::context::Context;
use crate::error::CommandError;

/// Deletes runs with their logs and containers. Artifacts stay, and the cache takes them: see `partita store gc`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Names, ids or beginnings of ids of runs, or `latest`.
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<String>,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    // All are looked up before one is deleted: then the next one is the latest.
    let mut found: Vec<RunSummary> = Vec::new();
    for reference in &args.runs {
        let run = session.home().with_runs(|runs| runs.find(reference))?;
        if found.iter().all(|known| known.id != run.id) {
            found.push(run);
        }
    }
    for run in &found {
        end_left(run, &session, context);
        let deleted = session.home().with_runs(|runs| runs.delete(&run.id))?;
        context.say(&format!("run `{}` is deleted", deleted.name));
    }
    Ok(())
}

/// Ends the containers of a run. What keeps that from being done keeps no run from being deleted.
fn end_left(run: &RunSummary, session: &Session, context: &Context) {
    let store = session.home().store_at(&run.store).map_err(CommandError::from);
    let ended = store.and_then(|store| left::end(run, &*store));
    if let (Err(CommandError::Failed { message, .. }), RunStatus::Interrupted) = (ended, run.status)
    {
        context
            .say(&format!("what run `{}` may have left running is not ended: {message}", run.name));
    }
}
