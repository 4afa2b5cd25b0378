//! `partita runs watch`: shows a run while another process drives it.

use partita_cli::progress::{Progress, Style};
use partita_core::status::RunStatus;
use partita_engine::drive::RunEvent;
use partita_engine::runs::Follower;

use crate::context::Context;
use crate::error::{self, CommandError};

/// Shows a run while it goes on elsewhere, to its end; its exit code is that of the run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A run's name, its id, the beginning of its id, or `latest`.
    #[arg(value_name = "RUN", default_value = "latest")]
    run: String,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    let run = session.home().with_runs(|runs| runs.find(&args.run))?;
    let store = session.home().store_at(&run.store)?;
    drop(session);
    let follower = Follower::new(&run.id, store)?;
    let style = Style { quiet: context.quiet, verbose: context.verbose, raises: false };
    let progress = Progress::following(&follower, style);
    let mut status = RunStatus::Running;
    for happened in follower {
        for one in &happened? {
            progress.happened(one);
            if let RunEvent::RunEnded { status: ended, .. } = &one.event {
                status = *ended;
            }
        }
    }
    match status {
        RunStatus::Completed => Ok(()),
        RunStatus::Cancelled => Err(CommandError::Told(error::CANCELLED)),
        _ => Err(CommandError::Told(error::FAILED)),
    }
}
