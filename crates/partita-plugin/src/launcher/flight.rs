//! One attempt between its launch and its end.

use std::sync::Arc;

use nix::sys::signal::Signal;
use partita_core::launcher::{Attempt, Outcome, Reports};
use partita_core::run::Failure;

use super::untold::End;
use super::{Handed, OpenRun};
use crate::message::{AttemptInfo, Launch, Resources, Status};
use crate::terms;

/// An attempt that was launched.
pub(super) struct Flight {
    pub(super) attempt: Attempt,
    reports: Arc<dyn Reports>,
    pub(super) stage: Stage,
    /// How often its cancellation was asked for.
    pub(super) cancels: u32,
    /// Whether the plugin was asked how it stands, and has not answered.
    pub(super) is_asked: bool,
    /// Why its backend could not be asked the last time.
    pub(super) unreachable: Option<String>,
    pub(super) end: End,
    handed: Option<Handed>,
}

pub(super) enum Stage {
    /// The plugin was not told of it.
    Waiting,
    /// The plugin was, and has not answered.
    Launching,
    /// The backend has it under this name.
    Running { job: String },
}

impl Flight {
    pub(super) fn new(
        attempt: Attempt,
        reports: Arc<dyn Reports>,
        stage: Stage,
        handed: Option<Handed>,
    ) -> Self {
        Self {
            attempt,
            reports,
            stage,
            cancels: 0,
            is_asked: false,
            unreachable: None,
            end: End::default(),
            handed,
        }
    }

    /// Returns whether its cancellation was asked for more than once.
    pub(super) fn is_impatient(&self) -> bool {
        self.cancels > 1
    }

    /// Returns what the plugin is told of it.
    pub(super) fn launch(&self, run: &OpenRun) -> Launch {
        let attempt = &self.attempt;
        let config = &attempt.step().config;
        let image = run.open.images.get(&attempt.step().name).cloned();
        let mut command = run.entry(attempt.program(), image.is_some());
        command.extend(attempt.entrypoint_arguments(&run.open.artifact_store));
        Launch {
            attempt: AttemptInfo {
                id: attempt.id(),
                run_id: attempt.run_id.to_string(),
                step: attempt.step().name.clone(),
                item: attempt.item,
                number: attempt.number,
            },
            command,
            environment: terms::of_attempt(attempt, self.handed.as_ref()),
            resources: Resources::of(config),
            image,
            settings: config.settings.clone(),
        }
    }

    /// Returns what is said of a job that the backend has and that nobody has seen end.
    pub(super) fn unseen(&self) -> Option<String> {
        let Stage::Running { job } = &self.stage else { return None };
        let step = &self.attempt.step().name;
        Some(format!(
            "partita: nobody has seen the job `{job}` of step `{step}` end; see whether it still runs"
        ))
    }

    /// Reports how it ended.
    pub(super) fn report(self, outcome: Outcome) {
        self.reports.ended(self.attempt.unit(), self.attempt.number, outcome);
    }

    /// Reports that nothing more is known of it, since its plugin is not there.
    pub(super) fn lose(self, why: &str) {
        let is_cancelled = self.cancels > 0;
        let failed = || Outcome::Failed(Failure::ours(why));
        self.report(if is_cancelled { Outcome::Cancelled } else { failed() });
    }
}

/// Returns the failure of a job that ended and did not complete.
pub(super) fn failure(status: Status) -> Failure {
    // Who starts processes often has the negative number of the signal that ended one.
    let exit_code = status.exit_code.map(|code| if code < 0 { 128 - code } else { code });
    let message = match (status.message, exit_code) {
        (Some(message), _) => message,
        (None, Some(code)) => match Signal::try_from(code - 128) {
            Ok(signal) => format!("its job ended with exit code {code}, as after {signal}"),
            Err(_) => format!("its job ended with exit code {code}"),
        },
        (None, None) => "its job failed, and the orchestrator does not say why".to_owned(),
    };
    Failure { exit_code, ..Failure::ours(message) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::State;

    /// Checks what is told of a job that failed with an exit code.
    fn check(exit_code: i32, expected: &str) {
        let status = Status { state: State::Failed, exit_code: Some(exit_code), message: None };
        assert_eq!(failure(status).message, expected);
    }

    #[test]
    fn an_exit_code_that_stands_for_a_signal_names_it() {
        check(3, "its job ended with exit code 3");
        check(137, "its job ended with exit code 137, as after SIGKILL");
        check(-15, "its job ended with exit code 143, as after SIGTERM");
    }
}
