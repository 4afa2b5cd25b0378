//! A process of its own for what may end it: its end is seen, and its time is kept.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long a process may take to end once its time was over.
const GRACE: Duration = Duration::from_secs(10);

/// What the supervisor waits for.
enum Event {
    /// The process has ended.
    Ended,
    /// Somebody asks for its end.
    Asked(Signal),
}

/// Starts processes one after the other. They end with this one, and get the signals that it is sent.
pub(super) struct Supervisor {
    sender: Sender<Event>,
    events: Receiver<Event>,
}

/// How a process has ended.
pub(super) struct Ended {
    /// Its exit code, as shells have it.
    pub(super) code: i32,
    /// Whether it took longer than it may.
    pub(super) is_late: bool,
    /// The signal that asked for its end.
    pub(super) asked: Option<Signal>,
}

impl Supervisor {
    /// Hears the signals of this process from now on.
    ///
    /// # Errors
    /// If the system refuses.
    pub(super) fn new() -> io::Result<Self> {
        let (sender, events) = channel();
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let heard = sender.clone();
        thread::Builder::new().name("partita-signals".to_owned()).spawn(move || {
            let signals = signals.forever().flat_map(Signal::try_from);
            signals.map(Event::Asked).try_for_each(|event| heard.send(event))
        })?;
        Ok(Self { sender, events })
    }

    /// Starts a process and waits for its end, which is made once this much time is over.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(super) fn run(
        &self,
        command: &mut Command,
        timeout: Option<Duration>,
    ) -> io::Result<Ended> {
        let mut child = command.process_group(0).spawn()?;
        let group = Pid::from_raw(child.id().cast_signed());
        let sender = self.sender.clone();
        thread::spawn(move || {
            // Its number stays its own until it is waited for below.
            let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
            while waitid(Id::Pid(group), flags) == Err(Errno::EINTR) {}
            sender.send(Event::Ended)
        });
        let mut asked = None;
        let mut is_late = false;
        let mut deadline = timeout.map(|timeout| Instant::now() + timeout);
        loop {
            // What is gone already needs no signal.
            match self.next(deadline) {
                Some(Event::Ended) => break,
                Some(Event::Asked(signal)) => {
                    asked = Some(signal);
                    let _ = killpg(group, signal);
                }
                None if is_late => {
                    let _ = killpg(group, Signal::SIGKILL);
                    deadline = None;
                }
                None => {
                    is_late = true;
                    let _ = killpg(group, Signal::SIGTERM);
                    deadline = Some(Instant::now() + GRACE);
                }
            }
        }
        let status = child.wait()?;
        let code = status.code().or(status.signal().map(|signal| 128 + signal));
        Ok(Ended { code: code.unwrap_or_default(), is_late, asked })
    }

    /// Waits so long; returns the signal that ends the wait.
    pub(super) fn wait(&self, time: Duration) -> Option<Signal> {
        let until = Instant::now() + time;
        loop {
            match self.next(Some(until))? {
                Event::Ended => {}
                Event::Asked(signal) => return Some(signal),
            }
        }
    }

    /// Returns what happens next, or nothing once it is this late.
    fn next(&self, deadline: Option<Instant>) -> Option<Event> {
        let Some(deadline) = deadline else { return self.events.recv().ok() };
        let left = deadline.saturating_duration_since(Instant::now());
        self.events.recv_timeout(left).ok()
    }
}
