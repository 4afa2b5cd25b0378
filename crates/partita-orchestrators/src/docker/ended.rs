//! How a container ended, and what is reported of that.

use bollard::models::{ContainerState, ContainerStateStatusEnum};
use nix::sys::signal::Signal;
use partita_core::deployment::Step;
use partita_core::launcher::Outcome;
use partita_core::run::Failure;

/// The exit code of what is to start a program that is not there.
const NO_PROGRAM: i32 = 127;

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// Its process did.
    Exited {
        /// With this code.
        code: i32,
        /// Whether something in it was killed since it had used up its memory.
        out_of_memory: bool,
    },
    /// It is there no more.
    Removed,
    /// It could not be started, for this reason.
    NotStarted(String),
    /// Nothing is known of it any more.
    Unknown(String),
}

impl Ended {
    /// Returns how a container ended that is in this state; `None` if it has not.
    pub(super) fn of(state: &ContainerState) -> Option<Self> {
        match state.status {
            Some(ContainerStateStatusEnum::EXITED | ContainerStateStatusEnum::DEAD) => {
                let code = state.exit_code.and_then(|code| i32::try_from(code).ok());
                let out_of_memory = state.oom_killed.unwrap_or(false);
                Some(Self::Exited { code: code.unwrap_or(-1), out_of_memory })
            }
            Some(ContainerStateStatusEnum::REMOVING) => Some(Self::Removed),
            _ => None,
        }
    }

    /// Returns whether its step completed.
    pub(super) fn is_good(&self) -> bool {
        matches!(self, Self::Exited { code: 0, .. })
    }

    /// Returns what is reported; `was_stopped` says whether the engine of the run asked for it, and
    /// `was_away` whether the container's own was out of reach meanwhile.
    pub(super) fn outcome(self, step: &Step, was_stopped: bool, was_away: bool) -> Outcome {
        if self.is_good() {
            return Outcome::Completed(None);
        }
        if was_stopped {
            return Outcome::Cancelled;
        }
        let exit_code = match &self {
            Self::Exited { code, .. } => Some(*code),
            _ => None,
        };
        Outcome::Failed(Failure { exit_code, ..Failure::ours(self.in_words(step, was_away)) })
    }

    fn in_words(self, step: &Step, was_away: bool) -> String {
        match self {
            Self::Exited { out_of_memory: true, .. } => match step.config.resources.memory {
                Some(memory) => format!(
                    "its container ran out of the {memory} of memory that the step asks for (`memory` in its resources)"
                ),
                None => "its container ran out of memory".to_owned(),
            },
            Self::Exited { code, .. } if was_away => format!(
                "its container was ended with the engine, which was stopped while the step ran (exit code {code})"
            ),
            Self::Exited { code: NO_PROGRAM, .. } => format!(
                "its container ended with exit code {NO_PROGRAM}: the image `{}` has no `python` on its path, or lacks what that needs",
                step.config.docker.parent_image.as_deref().unwrap_or_default()
            ),
            Self::Exited { code, .. } => match signal(code) {
                Some(Signal::SIGKILL) => {
                    let memory = match step.config.resources.memory {
                        Some(memory) => format!("it took more than the {memory} of memory that the step asks for"),
                        None => "the system ran out of memory: ask for `memory` in the step's resources, so that fewer steps run beside it".to_owned(),
                    };
                    format!("its container was ended by SIGKILL; if nobody did so, {memory}")
                }
                Some(signal) => format!("its container was ended by {signal}"),
                None => {
                    format!("its container ended with exit code {code} before the step returned")
                }
            },
            Self::Removed => "its container was removed before the step returned".to_owned(),
            Self::NotStarted(why) => format!("its container could not be started: {why}"),
            Self::Unknown(why) => why,
        }
    }
}

/// Returns the signal that an exit code tells of, as shells have it.
fn signal(code: i32) -> Option<Signal> {
    Signal::try_from(code.checked_sub(128)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(resources: &str) -> Step {
        let text = format!(
            r#"{{"name": "train", "source": "main:train", "config": {{"resources": {resources}}}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn check(ended: Ended, was_stopped: bool, was_away: bool, expected: Option<&str>) {
        let outcome = ended.clone().outcome(&step(r#"{"memory": "64MB"}"#), was_stopped, was_away);
        match (outcome, expected) {
            (Outcome::Failed(failure), Some(expected)) => {
                assert!(failure.message.contains(expected), "{}", failure.message);
            }
            (Outcome::Completed(None), None) => {}
            (Outcome::Cancelled, Some("cancelled")) => {}
            (outcome, _) => panic!("{ended:?}: {outcome:?}"),
        }
    }

    #[test]
    fn a_failure_says_what_ended_the_container() {
        let exited = |code, out_of_memory| Ended::Exited { code, out_of_memory };
        check(exited(0, false), true, true, None);
        check(exited(3, false), false, false, Some("exit code 3 before the step returned"));
        check(exited(127, false), false, false, Some("has no `python` on its path"));
        check(exited(143, false), false, false, Some("ended by SIGTERM"));
        check(exited(137, false), false, false, Some("SIGKILL; if nobody did so"));
        check(exited(137, true), false, false, Some("ran out of the 64MB of memory"));
        check(exited(143, false), false, true, Some("ended with the engine"));
        check(exited(143, false), true, false, Some("cancelled"));
        check(Ended::Removed, false, false, Some("was removed before"));
    }
}
