//! `partita runs cancel`: ends a run that another process drives, or what its engine has left.

use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use partita_cli::terminal::shell_word;
use partita_core::run::Lease;
use partita_core::status::RunStatus;
use partita_engine::drive::RunEvent;
use partita_engine::metadata::RunSummary;
use partita_engine::runs::{self, Follower};
use partita_engine::store::{ArtifactStore, LeaseState};

use super::left;
use crate::context::Context;
use crate::error::CommandError;

/// Asks a run that goes on elsewhere to end, as Ctrl-C does there, and waits for its end. Of a run whose
/// engine has died it ends the containers.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A run's name, its id, the beginning of its id, or `latest`.
    #[arg(value_name = "RUN")]
    run: String,
}

pub(crate) fn run(args: Args, context: &Context) -> Result<(), CommandError> {
    let session = context.session()?;
    let run = session.home().with_runs(|runs| runs.find(&args.run))?;
    let store = session.home().store_at(&run.store)?;
    let lease = match store.lease_state(&run.id)? {
        LeaseState::Held(Some(lease)) => lease,
        LeaseState::Held(None) => {
            return Err(CommandError::failed(format!(
                "run `{}` is just being taken up; try again in a moment",
                run.name
            )));
        }
        LeaseState::Free => return end_undriven(&run, &store, context),
    };
    let follower = Follower::new(&run.id, store)?;
    ask(&run, &lease)?;
    context.say(&format!("run `{}` is asked to end; waiting for it", run.name));
    if is_stopped(lease.pid) {
        context.say(&format!(
            "process {} is stopped, and hears of it once it goes on: `kill -CONT {}` lets it",
            lease.pid, lease.pid
        ));
    }
    let mut status = RunStatus::Running;
    for happened in follower {
        for one in happened? {
            if let RunEvent::RunEnded { status: ended, .. } = one.event {
                status = ended;
            }
        }
    }
    if status == RunStatus::Completed {
        // It is as if it had been so when it was asked to end.
        let what = format!("run `{}` completed before it could be cancelled", run.name);
        let name = shell_word(&run.name);
        return Err(CommandError::failed(what)
            .help(format!("`partita runs describe {name}` shows how it ended")));
    }
    context.say(&format!("run `{}` is {status}", run.name));
    Ok(())
}

/// Cancels a run that no engine drives: one that was submitted, or whose engine has died.
fn end_undriven(
    run: &RunSummary,
    store: &Arc<dyn ArtifactStore>,
    context: &Context,
) -> Result<(), CommandError> {
    if let Some(orchestrator) = runs::take_back(store, &run.id)? {
        context.say(&format!(
            "run `{}` is cancelled: no step of it begins any more; the orchestrator `{orchestrator}` is not told, so end there what runs now",
            run.name
        ));
        return Ok(());
    }
    if run.status != RunStatus::Interrupted {
        return Err(over(run));
    }
    let what = match left::end(run, &**store)? {
        0 => return Err(over(run)),
        1 => "a container that it had left running is ended".to_owned(),
        ended => format!("{ended} containers that it had left running are ended"),
    };
    context.say(&format!("run `{}` was interrupted; {what}", run.name));
    Ok(())
}

/// Signals the process that has the lease, and so has not ended.
fn ask(run: &RunSummary, lease: &Lease) -> Result<(), CommandError> {
    let here = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    if here.is_some_and(|here| here != lease.host) {
        return Err(CommandError::failed(format!(
            "run `{}` is driven by process {} on `{}`; cancel it there",
            run.name, lease.pid, lease.host
        )));
    }
    // Zero is not a process but all of this one's group.
    let pid = i32::try_from(lease.pid).ok().filter(|pid| *pid > 0).map(Pid::from_raw);
    let pid = pid.ok_or_else(|| {
        CommandError::failed(format!(
            "the lease of run `{}` names process {}, and there is none of that number; end the process that drives it",
            run.name, lease.pid
        ))
    })?;
    match kill(pid, Signal::SIGTERM) {
        // It has ended since.
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(CommandError::failed(format!(
            "run `{}` is driven by process {}, which may not be asked to end: {}; ask its owner",
            run.name,
            lease.pid,
            error.desc()
        ))),
    }
}

/// Returns whether a process of this machine is stopped (proc(5), `stat`).
fn is_stopped(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

fn over(run: &RunSummary) -> CommandError {
    let name = shell_word(&run.name);
    let help = match run.status {
        RunStatus::Completed | RunStatus::Failed => {
            format!("`partita runs describe {name}` shows how it ended")
        }
        _ => format!("`partita runs resume {name}` would continue it"),
    };
    CommandError::failed(format!("run `{}` is {} and has nothing to cancel", run.name, run.status))
        .help(help)
}
