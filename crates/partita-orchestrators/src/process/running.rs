//! One attempt between its launch and its end.

use std::io::PipeWriter;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use partita_core::launcher::{Attempt, Outcome, Reports};
use partita_core::run::Failure;
use partita_core::settings::Memory;
use partita_engine::secrets::Handed;

use super::entrypoint::Terms;
use super::kills::Killer;
use super::pipes::Pipes;
use super::zygote::Zygote;

/// How long the system may take to end a process that was killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// An attempt that was launched.
pub(super) struct Running {
    pub(super) attempt: Attempt,
    pub(super) reports: Arc<dyn Reports>,
    pub(super) terms: Terms,
    /// What its process finds the values of secrets in, until it has ended.
    pub(super) _handed: Option<Handed>,
    pub(super) process: Process,
    pub(super) output: Pipes,
    /// The graphics processors that it has for itself.
    pub(super) has_gpus: bool,
    pub(super) stop: Stop,
    /// What its process says when it is done; nobody else knows it.
    pub(super) token: String,
    /// How many processes the system had killed for their memory before it began.
    pub(super) kills: Option<u64>,
}

/// The process of an attempt.
pub(super) enum Process {
    /// There is none yet; the pipes are its side of its output.
    Waiting {
        pipes: [PipeWriter; 2],
        /// Whether the zygote was asked to fork it, and may still refuse.
        is_asked: bool,
    },
    /// The zygote has forked it.
    Forked(Pid),
    /// It was started by itself.
    Own(Child),
}

impl Process {
    /// Sends a signal to it, and to all of its group.
    pub(super) fn signal(&self, zygote: Option<&mut Zygote>, job: u64, signal: Signal) {
        match self {
            Self::Waiting { is_asked: false, .. } => {}
            Self::Waiting { .. } | Self::Forked(_) => {
                if let Some(zygote) = zygote {
                    zygote.signal(job, signal as i32);
                }
            }
            // It is not reaped before its end is taken note of, so that the id is its own.
            Self::Own(child) => kill_group(child, signal),
        }
    }

    /// Kills what a process of an attempt's own has left behind, and returns how it ended.
    pub(super) fn reap(&mut self) -> Ended {
        match self {
            Self::Own(child) => {
                kill_group(child, Signal::SIGKILL);
                child.wait().map_or(Ended::Code(-1), Ended::of)
            }
            Self::Waiting { .. } | Self::Forked(_) => Ended::Code(-1),
        }
    }
}

/// Whether an attempt is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Nobody has asked.
    No,
    /// It was told to, and is killed at this time.
    Asked { kill_at: Instant },
    /// It was killed; if nobody has told of its end by then, who forked it is stopped.
    Killed { overdue_at: Instant },
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// With an exit code.
    Code(i32),
    /// By a signal.
    Signal(i32),
}

impl Ended {
    /// By the signal that cannot be refused.
    pub(super) const KILLED: Self = Self::Signal(Signal::SIGKILL as i32);

    /// Returns what the zygote tells: a code, or the negative number of a signal.
    pub(super) fn told(code: i32) -> Self {
        if code < 0 { Self::Signal(-code) } else { Self::Code(code) }
    }

    pub(super) fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Code(-1),
        }
    }

    /// Returns why an attempt failed, whose process may use so much memory.
    fn failure(self, killer: Killer, memory: Option<Memory>) -> Failure {
        let (message, exit_code) = match self {
            Self::Code(code) => {
                (format!("its process ended with exit code {code} before the step returned"), code)
            }
            Self::Signal(signal) => (by_signal(signal, killer, memory), 128 + signal),
        };
        Failure { exit_code: Some(exit_code), ..Failure::ours(message) }
    }
}

fn by_signal(number: i32, killer: Killer, memory: Option<Memory>) -> String {
    let signal = Signal::try_from(number);
    let name = signal.map_or_else(|_| format!("signal {number}"), |signal| signal.to_string());
    let hint = match (signal, killer, memory) {
        (Ok(Signal::SIGKILL), Killer::System, _) => {
            format!("; the system ran out of memory: {ASK}")
        }
        (Ok(Signal::SIGKILL), Killer::Somebody, _) => {
            "; the system has not run out of memory, so that somebody did so".to_owned()
        }
        (Ok(Signal::SIGKILL), Killer::Unknown, _) => {
            format!("; if nobody did so, the system ran out of memory: {ASK}")
        }
        (
            Ok(Signal::SIGSEGV | Signal::SIGBUS | Signal::SIGABRT | Signal::SIGILL),
            _,
            Some(most),
        ) => {
            format!(
                "; a library that it uses crashed, perhaps since it may use {most} of memory and no more"
            )
        }
        (Ok(Signal::SIGSEGV | Signal::SIGBUS | Signal::SIGABRT | Signal::SIGILL), _, None) => {
            "; a library that it uses crashed".to_owned()
        }
        _ => String::new(),
    };
    format!("its process was ended by {name}{hint}")
}

/// What helps where memory runs out.
const ASK: &str = "ask for `memory` in the step's resources, so that fewer steps run beside it";

impl Running {
    /// Asks the processes of the attempt to end, or, once they were, kills them.
    pub(super) fn stop(&mut self, zygote: Option<&mut Zygote>, job: u64, grace: Duration) {
        match self.stop {
            Stop::No => {
                self.process.signal(zygote, job, Signal::SIGTERM);
                self.stop = Stop::Asked { kill_at: Instant::now() + grace };
            }
            Stop::Asked { .. } => {
                self.process.signal(zygote, job, Signal::SIGKILL);
                self.stop = Stop::Killed { overdue_at: Instant::now() + PATIENCE };
            }
            Stop::Killed { .. } => {}
        }
    }

    /// Returns when it is to be killed, if it was asked to end.
    pub(super) fn kill_at(&self) -> Option<Instant> {
        match self.stop {
            Stop::Asked { kill_at } => Some(kill_at),
            Stop::No | Stop::Killed { .. } => None,
        }
    }

    /// Returns when its zygote is given up, if that was told to kill it.
    pub(super) fn overdue_at(&self) -> Option<Instant> {
        match (self.stop, &self.process) {
            (Stop::Killed { overdue_at }, Process::Forked(_) | Process::Waiting { .. }) => {
                Some(overdue_at)
            }
            _ => None,
        }
    }

    /// Reports how the attempt ended, after what it printed has been read; returns its process.
    pub(super) fn end(self, ended: Ended, buffer: &mut Vec<u8>) -> Process {
        let memory = self.attempt.step().config.resources.memory;
        let killer = || match ended {
            Ended::KILLED => Killer::of(self.kills),
            _ => Killer::Unknown,
        };
        let outcome = match (ended, self.stop) {
            (Ended::Code(0), _) => Outcome::Completed(None),
            (_, Stop::No) => Outcome::Failed(ended.failure(killer(), memory)),
            (_, Stop::Asked { .. } | Stop::Killed { .. }) => Outcome::Cancelled,
        };
        self.finish(outcome, buffer)
    }

    /// Reports an attempt that failed before its process told anything.
    pub(super) fn fail(self, message: String, buffer: &mut Vec<u8>) {
        let outcome = match self.stop {
            Stop::No => Outcome::Failed(Failure::ours(message)),
            Stop::Asked { .. } | Stop::Killed { .. } => Outcome::Cancelled,
        };
        self.finish(outcome, buffer);
    }

    fn finish(self, outcome: Outcome, buffer: &mut Vec<u8>) -> Process {
        self.output.finish(buffer);
        self.reports.ended(self.attempt.unit(), self.attempt.number, outcome);
        self.process
    }
}

/// Sends a signal to a process that is not reaped, and to all of its group.
pub(super) fn kill_group(child: &Child, signal: Signal) {
    if let Ok(pid) = i32::try_from(child.id()) {
        let _ = killpg(Pid::from_raw(pid), signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_which_signal_ended_the_process_and_who_sent_it() {
        use Killer::{Somebody, System, Unknown};
        for (code, killer, message, exit_code) in [
            (3, Unknown, "exit code 3", 3),
            (-9, Unknown, "SIGKILL; if nobody did so, the system ran out of memory", 137),
            (-9, System, "SIGKILL; the system ran out of memory: ask for", 137),
            (-9, Somebody, "SIGKILL; the system has not run out of memory", 137),
            (
                -6,
                Unknown,
                "SIGABRT; a library that it uses crashed, perhaps since it may use 1GB",
                134,
            ),
            (-40, Unknown, "signal 40", 168),
        ] {
            let failure = Ended::told(code).failure(killer, Some(Memory(1_000_000_000)));
            assert!(failure.message.contains(message), "{}", failure.message);
            assert_eq!(failure.exit_code, Some(exit_code));
        }
    }
}
