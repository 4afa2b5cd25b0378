//! The zygote: a Python process that has imported the author's modules and forks steps.
//!
//! Both sides send one JSON object a packet over a socket that keeps packets apart; the descriptors
//! of a step's output travel with the request to start it. Its forks, and processes that start anew, say
//! in a pipe that they are done.

use std::collections::VecDeque;
use std::io::{Error, ErrorKind, IoSlice, PipeReader, PipeWriter, Read, pipe};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, Shutdown, SockFlag, SockType, recv, sendmsg, shutdown,
    socketpair,
};
use partita_core::launcher::Attempt;
use serde::{Deserialize, Serialize};

use super::entrypoint::{Setup, Terms};
use super::lock::{MARK, ProcessLock};
use super::running::kill_group;

/// Longest message, in bytes.
const MESSAGE_LIMIT: usize = 1 << 16;

/// How long it may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(1);

/// How long a token is, in bytes.
const TOKEN: usize = 32;

/// What a zygote is told.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Request<'a> {
    /// The run whose steps it forks, and one step for each function to load; with the descriptors of
    /// the run's lock, and of the pipe in which forks say that they are done.
    Open { artifact_store: &'a str, deployment_id: &'a str, run_id: &'a str, steps: &'a [usize] },
    /// Starts an attempt; with the descriptors of its standard output and standard error.
    Start {
        job: u64,
        token: &'a str,
        step: usize,
        item: Option<u32>,
        number: u32,
        terms: &'a Terms,
    },
    /// Sends a signal to the process group of an attempt.
    Signal { job: u64, signal: i32 },
}

/// What a zygote says.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Message {
    /// It has imported what it could.
    Ready,
    /// It has started an attempt.
    Started {
        /// The attempt.
        job: u64,
        /// Its process, and process group.
        pid: i32,
    },
    /// It cannot start an attempt.
    Refused {
        /// The attempt.
        job: u64,
        /// Why.
        reason: String,
    },
    /// The process of an attempt has ended, and all of its group.
    Ended {
        /// The attempt.
        job: u64,
        /// Its exit code, or the negative number of the signal that ended it.
        code: i32,
    },
}

/// What came of listening to a zygote.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// It said something.
    Message(Message),
    /// It has nothing more to say now.
    Nothing,
    /// It is gone, or said what is no message.
    Gone(String),
}

/// A running zygote.
pub(super) struct Zygote {
    process: Child,
    socket: OwnedFd,
    /// Tells of attempts whose processes have nothing left to do.
    done: PipeReader,
    /// Where they say so.
    told: PipeWriter,
    /// Signals that there was no room for.
    unsent: VecDeque<(u64, i32)>,
    is_full: bool,
    pub(super) is_ready: bool,
}

impl Zygote {
    /// Starts one and tells it what to import.
    pub(super) fn start(
        setup: &Setup,
        steps: &[usize],
        lock: &ProcessLock,
    ) -> std::io::Result<Self> {
        let (socket, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        )?;
        let (done, told) = pipe()?;
        fcntl(&done, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let process = Command::new(&setup.interpreter)
            .args(["-m", "partita.workers.zygote"])
            .env(MARK, lock.path())
            .envs(setup.forking_environment())
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let unsent = VecDeque::new();
        let zygote = Self { process, socket, done, told, unsent, is_full: false, is_ready: false };
        let run = &setup.context;
        let open = Request::Open {
            artifact_store: run.store.uri(),
            deployment_id: &run.deployment.id,
            run_id: &run.run_id,
            steps,
        };
        zygote.send(&open, &[lock.file().as_fd(), zygote.told.as_fd()])?;
        Ok(zygote)
    }

    /// Has it start an attempt, whose process says the token when it is done.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] if there is no room for the message now.
    pub(super) fn fork(
        &mut self,
        job: u64,
        token: &str,
        attempt: &Attempt,
        terms: &Terms,
        output: &[PipeWriter; 2],
    ) -> std::io::Result<()> {
        let [stdout, stderr] = output;
        let Attempt { step, item, number, .. } = *attempt;
        let start = Request::Start { job, token, step, item, number, terms };
        let sent = self.send(&start, &[stdout.as_fd(), stderr.as_fd()]);
        self.is_full |= sent.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        sent
    }

    /// Has it send a signal to the processes of an attempt; one that is gone cannot.
    pub(super) fn signal(&mut self, job: u64, signal: i32) {
        self.unsent.push_back((job, signal));
        self.send_signals();
    }

    /// Returns whether there was no room for what it is to be told.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Sends the signals that there was no room for.
    pub(super) fn send_signals(&mut self) {
        self.is_full = false;
        while let Some(&(job, signal)) = self.unsent.front() {
            match self.send(&Request::Signal { job, signal }, &[]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.is_full = true;
                    return;
                }
                _ => self.unsent.pop_front(),
            };
        }
    }

    /// Returns the next of what it has said.
    pub(super) fn hear(&self, buffer: &mut Vec<u8>) -> Heard {
        buffer.resize(MESSAGE_LIMIT, 0);
        match recv(self.socket.as_raw_fd(), buffer, MsgFlags::empty()) {
            Ok(0) => Heard::Gone("it ended".to_owned()),
            Ok(count) => match serde_json::from_slice(&buffer[..count]) {
                Ok(message) => Heard::Message(message),
                Err(error) => Heard::Gone(format!("it said what is no message: {error}")),
            },
            Err(Errno::EAGAIN | Errno::EINTR) => Heard::Nothing,
            Err(error) => Heard::Gone(error.to_string()),
        }
    }

    /// Returns what becomes readable when it says something.
    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Returns what becomes readable when attempts are done.
    pub(super) fn done(&self) -> BorrowedFd<'_> {
        self.done.as_fd()
    }

    /// Returns the file in which processes say that they are done that it has not forked.
    pub(super) fn done_place(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.told.as_raw_fd())
    }

    /// Returns the tokens of attempts that are done: their steps have returned, and all that Python
    /// does at its end. Their processes are about to end, too, which takes the system a while.
    pub(super) fn done_tokens(&self) -> Vec<String> {
        let mut told = [[0; TOKEN]; 64];
        let count = (&self.done).read(told.as_flattened_mut()).unwrap_or(0);
        let told = told[..count / TOKEN].iter();
        told.map(|token| String::from_utf8_lossy(token).into_owned()).collect()
    }

    /// Ends it, and with it the processes that it has forked.
    pub(super) fn end(mut self) {
        // It sees this also where a fork of this process has the socket, too.
        let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Both);
        if !self.is_ready || !self.ends_within(PATIENCE) {
            // It may be busy with an import that does not end, or stopped.
            kill_group(&self.process, Signal::SIGKILL);
        }
        let _ = self.process.wait();
    }

    fn ends_within(&mut self, patience: Duration) -> bool {
        let begun = Instant::now();
        while matches!(self.process.try_wait(), Ok(None)) {
            if begun.elapsed() > patience {
                return false;
            }
            thread::sleep(LOOK);
        }
        true
    }

    /// Ends one that cannot be relied on any more, and who watches over it.
    pub(super) fn kill(mut self) {
        kill_group(&self.process, Signal::SIGKILL);
        let _ = self.process.wait();
    }

    fn send(&self, request: &Request<'_>, descriptors: &[BorrowedFd<'_>]) -> std::io::Result<()> {
        let text = serde_json::to_vec(request)?;
        if text.len() > MESSAGE_LIMIT {
            return Err(Error::new(ErrorKind::InvalidInput, "its message is too long"));
        }
        let descriptors: Vec<_> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&descriptors)];
        let rights = if descriptors.is_empty() { &[][..] } else { &rights };
        let data = [IoSlice::new(&text)];
        let flags = MsgFlags::MSG_NOSIGNAL;
        sendmsg::<()>(self.socket.as_raw_fd(), &data, rights, flags, None)?;
        Ok(())
    }
}
