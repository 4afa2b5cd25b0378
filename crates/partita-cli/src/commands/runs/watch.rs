//! `partita runs watch`: shows a run while another process drives it.

use std::io::Write;
use std::sync::Arc;
use std::thread;

use nix::sys::signal::{SigSet, Signal};
use partita_cli::progress::{self, Progress, Style};
use partita_cli::terminal::{escaped, shell_word};
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
    let interrupt = hold_interrupt();
    let session = context.session()?;
    let run = session.home().with_runs(|runs| runs.find(&args.run))?;
    let store = session.home().store_at(&run.store)?;
    drop(session);
    let follower = Follower::new(&run.id, store)?;
    let style = Style { quiet: context.quiet, verbose: context.verbose, raises: false };
    let progress = Arc::new(Progress::following(&follower, style));
    leave_on(interrupt, &progress, follower.header().name.clone(), context.quiet);
    if run.status == RunStatus::Submitted {
        let (name, orchestrator) = (&run.name, &follower.header().orchestrator);
        progress::note(
            style,
            &format!(
                "run `{name}` is submitted to `{orchestrator}`, which has begun no step yet; waiting for it"
            ),
        );
    }
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

/// Keeps Ctrl-C from ending this process, and the threads that it starts from now on, before the
/// terminal is cleared. Returns what to wait for.
fn hold_interrupt() -> Option<SigSet> {
    let interrupt = SigSet::from(Signal::SIGINT);
    interrupt.thread_block().is_ok().then_some(interrupt)
}

/// Ends this process on Ctrl-C, with nothing left drawn; the run goes on.
fn leave_on(interrupt: Option<SigSet>, progress: &Arc<Progress>, run: String, quiet: bool) {
    let Some(interrupt) = interrupt else { return };
    let progress = Arc::clone(progress);
    let waiting = thread::Builder::new().name("partita-interrupt".to_owned()).spawn(move || {
        if interrupt.wait().is_err() {
            return;
        }
        progress.lend();
        if !quiet {
            let word = shell_word(&run);
            let told = format!("run `{run}` goes on; `partita runs cancel {word}` ends it");
            let _ = writeln!(std::io::stderr(), "{}", escaped(&told));
        }
        std::process::exit(i32::from(error::CANCELLED));
    });
    if waiting.is_err() {
        let _ = interrupt.thread_unblock();
    }
}
