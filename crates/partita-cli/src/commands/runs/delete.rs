//! `partita runs delete`: deletes runs.

use crate::context::Context;
use crate::error::CommandError;

/// Deletes runs with their logs. Artifacts stay, and the cache takes them: see `partita store gc`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Names, ids or beginnings of ids of runs, or `latest`.
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<String>,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    // All are looked up before one is deleted: then the next one is the latest.
    let mut ids = Vec::new();
    for reference in &args.runs {
        let id = session.home().with_runs(|runs| runs.find(reference))?.id;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    for id in &ids {
        let deleted = session.home().with_runs(|runs| runs.delete(id))?;
        context.say(&format!("run `{}` is deleted", deleted.name));
    }
    Ok(())
}
