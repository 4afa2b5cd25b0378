//! The zygote: a Python process that has imported the author's modules and forks steps.
//!
//! Both sides send one JSON object a packet over a socket that keeps packets apart; the descriptors
//! of a step's output travel with the request to start it. Its forks say in a pipe that they are done.

use std::io::{IoSlice, PipeReader, PipeWriter, Read, pipe};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;
use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, recv, sendmsg, socketpair,
};
use partita_core::launcher::Attempt;
use serde::{Deserialize, Serialize};

use super::entrypoint::{Setup, Terms};
use super::lock::{MARK, ProcessLock};
use super::running::kill_group;

/// Longest message, in bytes.
const MESSAGE_LIMIT: usize = 1 << 16;

/// What a zygote is told.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Request<'a> {
    /// The run whose steps it forks, and one step for each function to load; with the descriptors of
    /// the run's lock, and of the pipe in which forks say that they are done.
    Open { artifact_store: &'a str, deployment_id: &'a str, run_id: &'a str, steps: &'a [usize] },
    /// Starts an attempt; with the descriptors of its standard output and standard error.
    Start { job: u64, step: usize, item: Option<u32>, number: u32, terms: &'a Terms },
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
        let zygote = Self { process, socket, done, is_ready: false };
        let run = &setup.context;
        let open = Request::Open {
            artifact_store: run.store.uri(),
            deployment_id: &run.deployment.id,
            run_id: &run.run_id,
            steps,
        };
        zygote.send(&open, &[lock.file().as_fd(), told.as_fd()])?;
        Ok(zygote)
    }

    /// Has it start an attempt.
    pub(super) fn fork(
        &self,
        job: u64,
        attempt: &Attempt,
        terms: &Terms,
        output: &[PipeWriter; 2],
    ) -> std::io::Result<()> {
        let [stdout, stderr] = output;
        let Attempt { step, item, number, .. } = *attempt;
        let start = Request::Start { job, step, item, number, terms };
        self.send(&start, &[stdout.as_fd(), stderr.as_fd()])
    }

    /// Has it send a signal to the processes of an attempt; one that is gone cannot.
    pub(super) fn signal(&self, job: u64, signal: i32) {
        let _ = self.send(&Request::Signal { job, signal }, &[]);
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

    /// Returns the attempts that are done: their steps have returned, and all that Python does at
    /// its end. Their processes are about to end, too, which takes the system a while.
    pub(super) fn done_jobs(&self) -> Vec<u64> {
        let mut told = [[0; 8]; 64];
        let count = (&self.done).read(told.as_flattened_mut()).unwrap_or(0);
        told[..count / 8].iter().map(|job| u64::from_le_bytes(*job)).collect()
    }

    /// Ends it, and with it the processes that it has forked.
    pub(super) fn end(mut self) {
        drop(self.socket);
        if !self.is_ready {
            // It may be busy with an import that does not end.
            kill_group(&self.process, Signal::SIGKILL);
        }
        let _ = self.process.wait();
    }

    /// Ends one that cannot be relied on any more, and who watches over it.
    pub(super) fn kill(mut self) {
        kill_group(&self.process, Signal::SIGKILL);
        let _ = self.process.wait();
    }

    fn send(&self, request: &Request<'_>, descriptors: &[BorrowedFd<'_>]) -> std::io::Result<()> {
        let text = serde_json::to_vec(request)?;
        let descriptors: Vec<_> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&descriptors)];
        let rights = if descriptors.is_empty() { &[][..] } else { &rights };
        let data = [IoSlice::new(&text)];
        let flags = MsgFlags::MSG_NOSIGNAL;
        sendmsg::<()>(self.socket.as_raw_fd(), &data, rights, flags, None)?;
        Ok(())
    }
}
