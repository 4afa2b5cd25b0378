//! A run that an orchestrator goes through by itself: handed over, shown by its documents, and
//! cancelled by a signal.

use std::sync::Arc;

use partita_core::run::{EndedBy, RunHeader};
use partita_core::status::RunStatus;
use partita_engine::runs::{Executed, Follower, HandOver, LiveRun, RunError};
use partita_orchestrators::output::Echo;
use partita_plugin::Delegate;

use super::execute::Engine;
use super::launchers::{self, LauncherError};
use crate::progress::{self, Progress};
use crate::terminal::shell_word;

/// An orchestrator that takes a whole run, or why it is not handed the run.
pub(super) type Taker = Result<Arc<Delegate>, HandOver>;

impl Engine<'_> {
    /// Tells the orchestrator that may be handed the whole run of it. Returns nothing if there is none,
    /// or if it does not take the run.
    pub(super) fn opened(&self, live: &LiveRun, shown: &Arc<dyn Echo>) -> Option<Taker> {
        let not_taken = |error: LauncherError| HandOver::NotTaken(error.to_string());
        let delegate =
            match launchers::delegate(self.prepared, live, self.python, shown).transpose()? {
                Ok(delegate) => Arc::new(delegate),
                Err(error) => return Some(Err(not_taken(error))),
            };
        let told = Arc::clone(&delegate);
        self.cancel.reaches(move || told.cancel());
        let opened = launchers::takes_run(&delegate, self.prepared, live);
        match opened {
            _ if self.cancel.is_asked() => Some(Err(HandOver::Cancelled)),
            Err(error) => Some(Err(not_taken(error))),
            Ok(true) => Some(Ok(delegate)),
            Ok(false) => {
                self.cancel.reaches(|| {});
                None
            }
        }
    }

    /// Hands a run to the orchestrator, or records why that cannot be, and returns how it ended.
    pub(super) fn hand_over(&self, live: LiveRun, taker: Taker) -> Result<Executed, RunError> {
        let header = live.header().clone();
        let mut follower = live.follower().ok();
        let goes_on = taker.as_ref().is_ok_and(|delegate| !delegate.is_synchronous());
        let ends = if goes_on { EndedBy::Entrypoint } else { EndedBy::Engine };
        let submission = live.submission(&header.orchestrator, ends);
        let executed = std::thread::scope(|scope| {
            if !goes_on {
                let follower = follower.take();
                scope.spawn(move || follow(follower, self.progress));
            }
            live.submit(&submission, || self.handed_over(taker))
        })?;
        if executed.outcome.status == RunStatus::Submitted {
            progress::note(self.prepared.style, &submitted(&header));
        } else if goes_on {
            follow(follower, self.progress);
        }
        Ok(executed)
    }

    fn handed_over(&self, taker: Taker) -> Result<(), HandOver> {
        let delegate = taker?;
        if self.cancel.is_asked() {
            return Err(HandOver::Cancelled);
        }
        delegate.run().map_err(|why| match self.cancel.is_asked() {
            true => HandOver::Cancelled,
            false => HandOver::Failed(why),
        })
    }
}

fn submitted(RunHeader { name, orchestrator, .. }: &RunHeader) -> String {
    let word = shell_word(name);
    format!(
        "run `{name}` is submitted to `{orchestrator}`; `partita runs watch {word}` shows how it goes on"
    )
}

/// Shows what happens in a run until its end.
fn follow(follower: Option<Follower>, progress: &Progress) {
    for happened in follower.into_iter().flatten().flatten().flatten() {
        progress.happened(&happened);
    }
}
