//! The thread that owns a plugin's process.

mod hearing;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use serde_json::Value;

use super::lines::Lines;
use super::words::{ended, shown};
use super::{Answer, CallError, Listener, Mailbox, Order};
use crate::frame::{Frame, MAX_BYTES, RpcError, code};
use crate::patience::Patience;

/// Bytes of a line on standard error that are shown.
const PRINTED: usize = 1 << 16;
/// Returns a letter box and what is read from it.
pub(super) fn mailbox() -> std::io::Result<(Mailbox, Receiver<Order>)> {
    let (orders, inbox) = unbounded();
    let bell = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
    Ok((Mailbox { orders, bell: Arc::new(bell), why: Arc::default() }, inbox))
}

/// Starts a plugin, says in `started` whether that went well, and looks after it to its end.
pub(super) fn run(
    command: Command,
    mailbox: Mailbox,
    inbox: Receiver<Order>,
    patience: Patience,
    listener: Box<dyn Listener>,
    started: &Sender<std::io::Result<()>>,
) {
    // This thread starts it: a process that has asked to end with its parent ends with the thread.
    match Supervisor::start(command, mailbox, inbox, patience, listener) {
        Ok(supervisor) => {
            let _ = started.send(Ok(()));
            supervisor.run();
        }
        Err(error) => drop(started.send(Err(error))),
    }
}

/// A question that has no answer yet.
struct Pending {
    method: &'static str,
    asked: Instant,
    patience: Option<Duration>,
    answer: Answer,
}

struct Supervisor {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines<ChildStdout>,
    stderr: Lines<ChildStderr>,
    /// What is not written yet.
    outgoing: Vec<u8>,
    /// By id, and so in the order in which they were asked.
    pending: BTreeMap<u64, Pending>,
    next_id: u64,
    last_answer: Instant,
    mailbox: Mailbox,
    inbox: Receiver<Order>,
    patience: Patience,
    listener: Box<dyn Listener>,
    last_printed: Option<String>,
    /// When it is killed, once it was told to end or has closed its output.
    kill_at: Option<Instant>,
    is_closing: bool,
    /// Whether it has said more than was heard.
    is_behind: bool,
    /// Whether its output has ended.
    is_silent: bool,
    is_reaped: bool,
}

impl Supervisor {
    fn start(
        mut command: Command,
        mailbox: Mailbox,
        inbox: Receiver<Order>,
        patience: Patience,
        listener: Box<dyn Listener>,
    ) -> std::io::Result<Self> {
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.process_group(0).spawn()?;
        let gone = || std::io::Error::other("it has no pipes");
        let stdin = child.stdin.take().ok_or_else(gone)?;
        fcntl(&stdin, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let supervisor = Self {
            stdout: Lines::new(child.stdout.take().ok_or_else(gone)?, MAX_BYTES)?,
            stderr: Lines::new(child.stderr.take().ok_or_else(gone)?, PRINTED)?,
            stdin: Some(stdin),
            child,
            outgoing: Vec::new(),
            pending: BTreeMap::new(),
            next_id: 1,
            last_answer: Instant::now(),
            mailbox,
            inbox,
            patience,
            listener,
            last_printed: None,
            kill_at: None,
            is_closing: false,
            is_behind: false,
            is_silent: false,
            is_reaped: false,
        };
        supervisor.watch()?;
        Ok(supervisor)
    }

    /// Has a thread wait for the end of the process, without reaping it.
    fn watch(&self) -> std::io::Result<()> {
        let mailbox = self.mailbox.clone();
        let pid = Id::Pid(Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX)));
        let name = "partita-plugin-end".to_owned();
        let wait = move || {
            let _ = waitid(pid, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
            mailbox.send(Order::Exited);
        };
        std::thread::Builder::new().name(name).spawn(wait).map(drop)
    }

    fn run(mut self) {
        let why = loop {
            self.wait();
            if let Some(why) = self.turn() {
                break why;
            }
        };
        self.end(why);
    }

    /// Waits until there is something to do.
    fn wait(&self) {
        if self.is_behind {
            return;
        }
        let mut fds = vec![PollFd::new(self.mailbox.bell.as_fd(), PollFlags::POLLIN)];
        let readable = [self.stdout.fd(), self.stderr.fd()];
        fds.extend(readable.into_iter().flatten().map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        if let Some(stdin) = self.stdin.as_ref().filter(|_| !self.outgoing.is_empty()) {
            fds.push(PollFd::new(stdin.as_fd(), PollFlags::POLLOUT));
        }
        let due = self.oldest().map(|(_, due)| due).into_iter().chain(self.kill_at);
        let timeout = due.min().map_or(PollTimeout::NONE, |due| {
            let left = due.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        // A signal that interrupts it is followed by another round.
        let _ = poll(&mut fds, timeout);
    }

    /// Does what there is to do, of all a part; returns why the plugin is gone, if it is.
    fn turn(&mut self) -> Option<String> {
        let _ = self.mailbox.bell.read();
        let mut has_exited = false;
        while let Ok(order) = self.inbox.try_recv() {
            match order {
                Order::Ask { method, params, patience, answer } => {
                    self.ask(method, params, patience, answer);
                }
                Order::Send(frame) => self.outgoing.extend(frame.line()),
                Order::Hurry(within) => self.kill_within(within),
                Order::Exited => has_exited = true,
                Order::Close => self.close(),
            }
        }
        self.write();
        if has_exited {
            let why = self.ended_early();
            return Some(self.hear_out().err().unwrap_or_else(|| self.with_last_words(why)));
        }
        self.hear().err().or_else(|| self.overdue())
    }

    fn ask(
        &mut self,
        method: &'static str,
        params: Value,
        patience: Option<Duration>,
        answer: Answer,
    ) {
        let id = self.next_id;
        self.next_id += 1;
        let frame = Frame::Request { id: id.into(), method: method.to_owned(), params };
        self.outgoing.extend(frame.line());
        self.pending.insert(id, Pending { method, asked: Instant::now(), patience, answer });
    }

    /// Returns the question that has waited longest, and when it is overdue.
    fn oldest(&self) -> Option<(&Pending, Instant)> {
        let mut timed = self.pending.values().filter_map(|one| Some((one, one.patience?)));
        let (oldest, patience) = timed.next()?;
        Some((oldest, due(oldest.asked, self.last_answer, patience)))
    }

    /// Closes the plugin's standard input, which tells it to end.
    fn close(&mut self) {
        self.is_closing = true;
        self.write();
        self.stdin = None;
        self.kill_within(self.patience.end);
    }

    /// Has the process killed once this time is over, or earlier if that is so already.
    fn kill_within(&mut self, time: Duration) {
        let at = Instant::now() + time;
        self.kill_at = Some(self.kill_at.map_or(at, |earlier| earlier.min(at)));
    }

    fn write(&mut self) {
        while let Some(stdin) = self.stdin.as_mut().filter(|_| !self.outgoing.is_empty()) {
            match stdin.write(&self.outgoing) {
                Ok(count) => drop(self.outgoing.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // It does not listen any more; its end, or an overdue answer, tells the rest.
                Err(_) => self.outgoing.clear(),
            }
        }
    }

    fn overdue(&self) -> Option<String> {
        let now = Instant::now();
        if self.kill_at.is_some_and(|at| at <= now) {
            let why = match (self.is_closing, self.is_silent) {
                (true, _) => "did not end",
                (false, true) => "closed its standard output",
                (false, false) => "did not end what was cancelled",
            };
            return Some(self.with_last_words(why.to_owned()));
        }
        let (late, _) = self.oldest().filter(|(_, due)| *due <= now)?;
        let seconds = late.patience.unwrap_or_default().as_secs_f64();
        let why = format!("did not answer `{}` within {seconds} s", late.method);
        Some(self.with_last_words(why))
    }

    fn with_last_words(&self, why: String) -> String {
        match &self.last_printed {
            Some(line) => format!("{why}; the last that it wrote is `{}`", shown(line)),
            None => why,
        }
    }

    /// Reaps the process that has ended by itself, and says how, and what it owes an answer to.
    fn ended_early(&mut self) -> String {
        let status = self.reap();
        let goes_on = match status {
            Some(status) if status.success() => {
                "; a plugin goes on until its standard input has ended"
            }
            _ => "",
        };
        let how = status.map_or("has ended".to_owned(), ended);
        match self.pending.values().next() {
            Some(pending) => {
                format!("{how} before it answered `{}`{goes_on}", pending.method)
            }
            None => how + goes_on,
        }
    }

    /// Ends the process and all of its group, and returns how it ended.
    fn reap(&mut self) -> Option<ExitStatus> {
        // Until it is reaped, no other group has its number.
        if !std::mem::replace(&mut self.is_reaped, true)
            && let Ok(pid) = i32::try_from(self.child.id())
        {
            let _ = killpg(Pid::from_raw(pid), Signal::SIGKILL);
        }
        self.child.wait().ok()
    }

    /// Ends what is left of the plugin, and tells everyone who waits.
    fn end(mut self, why: String) {
        self.reap();
        self.hear_last_errors();
        let _ = self.mailbox.why.set(why.clone());
        for pending in std::mem::take(&mut self.pending).into_values() {
            (pending.answer)(Err(CallError::Gone(why.clone())));
        }
        self.listener.gone(&why);
        // What was asked meanwhile is told so; whoever asks from now on finds nobody, and `why`.
        for order in self.inbox.try_iter() {
            if let Order::Ask { answer, .. } = order {
                answer(Err(CallError::Gone(why.clone())));
            }
        }
    }
}

/// Returns when an answer is overdue. A plugin may take one question after another: as long as it
/// answers, what it has not come to is not late.
fn due(asked: Instant, last_answer: Instant, patience: Duration) -> Instant {
    asked.max(last_answer) + patience
}

/// Returns the error for a method that nobody here has.
pub fn unknown_method(method: &str) -> RpcError {
    RpcError { code: code::METHOD_NOT_FOUND, message: format!("there is no method `{method}`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks when an answer is overdue, in seconds after the start.
    fn check(asked: u64, last_answer: u64, patience: u64, expected: u64) {
        let (start, seconds) = (Instant::now(), Duration::from_secs);
        let due = due(start + seconds(asked), start + seconds(last_answer), seconds(patience));
        assert_eq!(due, start + seconds(expected));
    }

    #[test]
    fn the_time_of_a_question_begins_anew_with_each_answer() {
        check(1, 0, 4, 5);
        check(1, 3, 4, 7);
        check(1, 5, 4, 9);
    }
}
