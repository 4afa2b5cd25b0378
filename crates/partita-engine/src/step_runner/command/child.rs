//! The process of a command: what it prints, and its end.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{self, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use crate::step_runner::{LogStream, Printed, StepCall, StepCaller, labelled};

/// How long a command may take to end once it is asked to.
const GRACE: Duration = Duration::from_secs(10);
/// How often it is looked whether somebody asks for its end.
const LOOK: Duration = Duration::from_millis(50);
/// How long what it has left behind may still print.
const REST: Duration = Duration::from_millis(500);
/// Bytes that are read at a time.
const CHUNK: usize = 1 << 16;

/// A command that runs.
pub(super) struct Child {
    process: process::Child,
    events: Receiver<Event>,
    /// The streams that may have more.
    open: usize,
    /// Whether somebody else records what it prints, and shows it.
    is_recorded: bool,
}

enum Event {
    Read(LogStream, Vec<u8>),
    Closed,
    Ended,
}

/// How a command has ended.
pub(super) enum Ended {
    /// By itself.
    Exited {
        /// Its exit code, as shells have it.
        code: i32,
        /// What is said of that.
        how: String,
        /// The last line that it has written to standard error.
        last: Option<String>,
    },
    /// Since somebody asked for it.
    Interrupted,
}

impl Child {
    /// Starts a command in the process group of this process, so that whoever ends that ends it.
    ///
    /// Where its output is recorded by somebody else, that goes there as it comes. Its standard error
    /// passes by here, for its last line.
    pub(super) fn start(path: &str, words: &[String], is_recorded: bool) -> io::Result<Self> {
        let mut command = Command::new(path);
        command.args(words).stdin(Stdio::null()).stderr(Stdio::piped());
        command.stdout(if is_recorded { Stdio::inherit() } else { Stdio::piped() });
        let onward = match is_recorded {
            true => Some(File::from(io::stderr().as_fd().try_clone_to_owned()?)),
            false => None,
        };
        let mut process = command.spawn()?;
        let (sender, events) = unbounded();
        let mut open = 0;
        if let Some(stdout) = process.stdout.take() {
            read(stdout, LogStream::Stdout, sender.clone(), None);
            open += 1;
        }
        if let Some(stderr) = process.stderr.take() {
            read(stderr, LogStream::Stderr, sender.clone(), onward);
            open += 1;
        }
        let number = pid(&process);
        thread::spawn(move || {
            // Its number stays its own until it is waited for below.
            let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
            while waitid(Id::Pid(number), flags) == Err(Errno::EINTR) {}
            sender.send(Event::Ended)
        });
        Ok(Self { process, events, open, is_recorded })
    }

    /// Waits for its end, and takes care of what it prints.
    pub(super) fn ended(mut self, call: &StepCall<'_>, caller: &mut dyn StepCaller) -> Ended {
        let is_recorded = self.is_recorded;
        let mut printed = match is_recorded {
            true => Printed::elsewhere(call.secrets),
            false => Printed::new(Arc::clone(&call.log), call.secrets),
        };
        let show = |caller: &mut dyn StepCaller, stream, text: &str| {
            if !is_recorded {
                show(call, caller, stream, text);
            }
        };
        let mut deadline: Option<Instant> = None;
        let mut is_over = false;
        let mut is_asked = false;
        while !is_over || self.open > 0 {
            let mut event = None;
            caller.wait(&mut || event = self.events.recv_timeout(LOOK).ok());
            match event {
                Some(Event::Read(stream, data)) => {
                    printed.take(stream, &data, |text| show(caller, stream, text));
                }
                Some(Event::Closed) => self.open -= 1,
                Some(Event::Ended) => {
                    is_over = true;
                    deadline = Some(Instant::now() + REST);
                }
                None => {}
            }
            if !is_over && !is_asked && caller.is_interrupted() {
                is_asked = true;
                deadline = Some(Instant::now() + GRACE);
                self.signal(Signal::SIGTERM);
            }
            if deadline.is_some_and(|deadline| deadline < Instant::now()) {
                if is_over {
                    break;
                }
                self.signal(Signal::SIGKILL);
            }
        }
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            printed.finish(stream, |text| show(caller, stream, text));
        }
        // Whoever asked for its end may have asked it as well, as Ctrl-C does.
        let is_asked = is_asked || caller.is_interrupted();
        match self.process.wait() {
            Ok(status) if !is_asked || status.success() => {
                let (code, how) = told(status);
                Ended::Exited { code, how, last: printed.last_error() }
            }
            _ => Ended::Interrupted,
        }
    }

    fn signal(&self, signal: Signal) {
        // What has ended needs none.
        let _ = kill(pid(&self.process), signal);
    }
}

fn show(call: &StepCall<'_>, caller: &mut dyn StepCaller, stream: LogStream, text: &str) {
    match caller.is_labelled() {
        true => caller.show(stream, &labelled(call.attempt, text)),
        false => caller.show(stream, text),
    }
}

fn pid(process: &process::Child) -> Pid {
    Pid::from_raw(process.id().cast_signed())
}

fn told(status: ExitStatus) -> (i32, String) {
    match (status.code(), status.signal()) {
        (Some(code), _) => (code, format!("ended with exit code {code}")),
        (None, signal) => {
            let number = signal.unwrap_or_default();
            let name = Signal::try_from(number).map(|signal| signal.to_string());
            let name = name.unwrap_or_else(|_| format!("signal {number}"));
            (128 + number, format!("was ended by {name}"))
        }
    }
}

/// Reads a stream on a thread of its own, and hands it on as it is.
fn read(
    mut stream: impl Read + Send + 'static,
    kind: LogStream,
    sender: Sender<Event>,
    mut onward: Option<File>,
) {
    thread::spawn(move || {
        let mut buffer = vec![0; CHUNK];
        loop {
            match stream.read(&mut buffer) {
                Ok(count) if count > 0 => {
                    if let Some(onward) = &mut onward {
                        // What cannot be recorded is not worth the command.
                        let _ = onward.write_all(&buffer[..count]);
                    }
                    sender.send(Event::Read(kind, buffer[..count].to_vec()))?
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => return sender.send(Event::Closed),
            }
        }
    });
}
