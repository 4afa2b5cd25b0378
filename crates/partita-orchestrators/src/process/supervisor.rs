//! The thread that owns a run's processes: starts them, reads what they print, sees them end.
//!
//! It waits for everything at once: what the engine asks, what the zygote and its forks say, what steps print.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::slice;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use partita_core::launcher::{Attempt, Job, Outcome, Reports};
use partita_core::run::Failure;
use partita_engine::clock;
use partita_engine::secrets::Handed;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use crate::output::Output;

use super::entrypoint::{Setup, Terms, needs_own_start};
use super::kills::Kills;
use super::lock::ProcessLock;
use super::mailbox::{Mailbox, Request};
use super::pipes::Pipes;
use super::running::{Ended, Process, Running, Stop};
use super::warm::Warm;
use super::zygote::{Heard, Message, Zygote};

/// Starts the supervisor of a run.
pub(super) fn start(setup: Setup, lock: ProcessLock) -> std::io::Result<(Mailbox, JoinHandle<()>)> {
    let (requests, inbox) = unbounded();
    let bell = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
    let mailbox = Mailbox { requests, bell: Arc::new(bell) };
    let supervisor = Supervisor {
        warm: Warm::new(&setup),
        setup,
        mailbox: mailbox.clone(),
        inbox,
        running: BTreeMap::new(),
        leaving: BTreeMap::new(),
        next_job: 1,
        is_closing: false,
        lock,
        kills: Kills::default(),
        buffer: Vec::new(),
    };
    let thread =
        thread::Builder::new().name("partita-processes".to_owned()).spawn(|| supervisor.run())?;
    Ok((mailbox, thread))
}

struct Supervisor {
    setup: Setup,
    warm: Warm,
    mailbox: Mailbox,
    inbox: Receiver<Request>,
    running: BTreeMap<u64, Running>,
    /// The processes of attempts that are reported, which have nothing left to do but to end.
    leaving: BTreeMap<u64, Process>,
    next_job: u64,
    is_closing: bool,
    lock: ProcessLock,
    kills: Kills,
    buffer: Vec<u8>,
}

/// What became readable.
enum Readable {
    Bell,
    Zygote,
    Done,
    Pipe(u64, usize),
}

impl Supervisor {
    fn run(mut self) {
        while !(self.is_closing && self.running.is_empty() && self.leaving.is_empty()) {
            for readable in self.wait() {
                match readable {
                    Readable::Bell => self.take_requests(),
                    Readable::Zygote => {
                        self.listen();
                        self.tell_waiting();
                    }
                    Readable::Done => self.take_done(),
                    Readable::Pipe(job, number) => {
                        if let Some(running) = self.running.get_mut(&job) {
                            running.output.read(number, &mut self.buffer);
                        }
                    }
                }
            }
            self.keep_time();
        }
        self.warm.end(&self.lock);
    }

    /// Waits until something can be read, or something is due.
    fn wait(&self) -> Vec<Readable> {
        let mut readables = vec![Readable::Bell];
        let mut fds = vec![PollFd::new(self.mailbox.bell.as_fd(), PollFlags::POLLIN)];
        if let Some(zygote) = self.warm.zygote() {
            readables.push(Readable::Zygote);
            let room = if zygote.is_full() { PollFlags::POLLOUT } else { PollFlags::empty() };
            fds.push(PollFd::new(zygote.socket(), PollFlags::POLLIN | room));
            readables.push(Readable::Done);
            fds.push(PollFd::new(zygote.done(), PollFlags::POLLIN));
        }
        for (&job, running) in &self.running {
            for (number, pipe) in running.output.open() {
                readables.push(Readable::Pipe(job, number));
                fds.push(PollFd::new(pipe, PollFlags::POLLIN));
            }
        }
        let now = Instant::now();
        let due = self.running.values().flat_map(|one| one.kill_at().or(one.overdue_at()));
        let due = due.chain(self.warm.overdue_at());
        let timeout = due.min().map_or(PollTimeout::NONE, |due| {
            let left = due.saturating_duration_since(now) + Duration::from_millis(1);
            PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
        });
        // A signal that interrupts it is followed by another round.
        let _ = poll(&mut fds, timeout);
        let is_readable = |fd: &PollFd<'_>| fd.any().unwrap_or(false);
        readables.into_iter().zip(&fds).filter(|(_, fd)| is_readable(fd)).map(|(r, _)| r).collect()
    }

    fn take_requests(&mut self) {
        let _ = self.mailbox.bell.read();
        while let Ok(request) = self.inbox.try_recv() {
            match request {
                Request::Launch(attempt, reports) => self.launch(attempt, reports),
                Request::Cancel(job) => self.cancel(&job),
                Request::Ended(job) => {
                    if let Some(mut process) = self.leaving.remove(&job) {
                        process.reap();
                    } else if let Some(running) = self.running.get_mut(&job) {
                        let ended = running.process.reap();
                        self.ended(job, ended);
                    }
                }
                Request::Close => self.close(),
            }
        }
    }

    fn launch(&mut self, attempt: Attempt, reports: Arc<dyn Reports>) {
        let (unit, number) = (attempt.unit(), attempt.number);
        let id = attempt.id();
        if let Err(error) = self.prepare(attempt, Arc::clone(&reports)) {
            self.setup.gpus.take_back(&id);
            let failure = Failure::ours(not_started(&error));
            reports.ended(unit, number, Outcome::Failed(failure));
        }
    }

    /// Takes an attempt in, and starts its process now or when the zygote is ready.
    fn prepare(&mut self, attempt: Attempt, reports: Arc<dyn Reports>) -> std::io::Result<()> {
        let run = &self.setup.context;
        let step = attempt.step();
        let echo = Arc::clone(&self.setup.echo);
        let handed = Handed::to(slice::from_ref(step), run.secrets())?;
        let output = Output::of(&attempt, run, echo, self.setup.config.log_limits());
        let (output, writers) = Pipes::new(output)?;
        let gpus = self.setup.gpus.of(&attempt.id());
        let terms = Terms::of(&attempt, gpus.as_deref(), handed.as_ref());
        let running = Running {
            attempt,
            reports,
            terms,
            _handed: handed,
            process: Process::Waiting { pipes: writers, is_asked: false },
            output,
            has_gpus: gpus.is_some_and(|gpus| !gpus.is_empty()),
            stop: Stop::No,
            token: clock::new_id(),
            kills: self.kills.count(),
        };
        let job = self.next_job;
        self.next_job += 1;
        let is_python = running.attempt.program().is_none();
        let forks = self.setup.config.warm && is_python;
        let why = forks.then(|| needs_own_start(running.attempt.step())).flatten();
        if let Some(why) = why {
            running.output.note(&format!("this step starts Python anew, since {why}"));
        }
        let has_zygote = self.warm.start(&self.setup, &self.lock);
        self.running.insert(job, running);
        match why {
            None if forks && has_zygote => self.fork_waiting(),
            None if forks => self.start_anew(job, "there is no process to fork it from any more"),
            _ => self.start_own(job),
        }
        Ok(())
    }

    /// Has the zygote, if it is ready, fork every attempt that waits for it, as far as there is room
    /// for the messages.
    fn fork_waiting(&mut self) {
        let zygote = self.warm.zygote_mut().filter(|zygote| zygote.is_ready && !zygote.is_full());
        let Some(zygote) = zygote else { return };
        let mut failed = Vec::new();
        for (&job, running) in &mut self.running {
            let Running { attempt, terms, process, token, .. } = running;
            let Process::Waiting { pipes, is_asked: is_asked @ false } = process else { continue };
            match zygote.fork(job, token, attempt, terms, pipes) {
                Ok(()) => *is_asked = true,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => failed.push((job, error)),
            }
        }
        for (job, error) in failed {
            self.start_anew(job, &error.to_string());
        }
    }

    /// Tells the zygote what there was no room for.
    fn tell_waiting(&mut self) {
        if let Some(zygote) = self.warm.zygote_mut().filter(|zygote| zygote.is_full()) {
            zygote.send_signals();
            self.fork_waiting();
        }
    }

    /// Starts the step entrypoint for an attempt that was to be forked.
    fn start_anew(&mut self, job: u64, why: &str) {
        if let Some(running) = self.running.get(&job) {
            running.output.note(&format!("this step starts Python anew, since {why}"));
            self.start_own(job);
        }
    }

    /// Starts the step entrypoint for an attempt that has no process.
    fn start_own(&mut self, job: u64) {
        let Some(mut running) = self.running.remove(&job) else { return };
        let Running { attempt, terms, process, token, .. } = &mut running;
        terms.done = self.warm.zygote().map(|zygote| [zygote.done_place(), token.clone()]);
        let started = match process {
            Process::Waiting { pipes, .. } => self.waiter(job).and_then(|waiter| {
                let child = self.setup.start_entrypoint(attempt, terms, pipes, &self.lock)?;
                let _ = waiter.send(child.id());
                Ok(child)
            }),
            Process::Forked(_) | Process::Own(_) => return,
        };
        match started {
            Ok(child) => {
                running.process = Process::Own(child);
                self.running.insert(job, running);
            }
            Err(error) => {
                self.give_back(&running);
                running.fail(not_started(&error), &mut self.buffer);
            }
        }
    }

    /// Takes in what the zygote has said.
    fn listen(&mut self) {
        while let Some(zygote) = self.warm.zygote() {
            match zygote.hear(&mut self.buffer) {
                Heard::Message(message) => self.heard(message),
                Heard::Nothing => return,
                Heard::Gone(why) => self.lose_zygote(&why),
            }
        }
    }

    /// Reports attempts that are done, so that the next step begins while their processes end. Who
    /// has asked for memory or for graphics processors, or is under limits, has them until then.
    fn take_done(&mut self) {
        for token in self.warm.zygote().map(Zygote::done_tokens).unwrap_or_default() {
            let said = self.running.iter().find(|(_, running)| running.token == token);
            let Some((&job, running)) = said else { continue };
            let config = &running.attempt.step().config;
            let asks = config.resources.memory.is_some() || !config.limits.is_empty();
            if !running.has_gpus && !asks {
                let process = self.ended(job, Ended::Code(0));
                self.leaving.extend(process.map(|process| (job, process)));
            }
        }
    }

    fn heard(&mut self, message: Message) {
        match message {
            Message::Ready => {
                self.warm.ready();
                self.fork_waiting();
            }
            Message::Started { job, pid } => {
                if let Some(running) = self.running.get_mut(&job) {
                    running.process = Process::Forked(Pid::from_raw(pid));
                }
            }
            Message::Refused { job, reason } => self.start_anew(job, &reason),
            Message::Ended { job, .. } if self.leaving.remove(&job).is_some() => {}
            Message::Ended { job, code } => {
                self.ended(job, Ended::told(code));
            }
        }
    }

    /// Does without the zygote. What it has forked ends with it; what waited for it starts anew, or
    /// waits for the next one.
    fn lose_zygote(&mut self, why: &str) {
        self.warm.lose();
        self.leaving.retain(|_, process| matches!(process, Process::Own(_)));
        let jobs: Vec<u64> = self.running.keys().copied().collect();
        for job in jobs {
            match self.running.get(&job).map(|running| &running.process) {
                Some(Process::Waiting { is_asked: true, .. } | Process::Forked(_)) => {
                    self.lose(job, why);
                }
                Some(Process::Waiting { .. }) if !self.warm.start(&self.setup, &self.lock) => {
                    let why = format!("the process that it was to be forked from is gone: {why}");
                    self.start_anew(job, &why);
                }
                _ => {}
            }
        }
    }

    /// Gives an attempt up whose zygote is gone.
    fn lose(&mut self, job: u64, why: &str) {
        let Some(running) = self.running.remove(&job) else { return };
        if let Process::Forked(pid) = running.process {
            let _ = killpg(pid, Signal::SIGKILL);
        }
        self.give_back(&running);
        let orchestrator = &self.setup.orchestrator;
        let message = format!(
            "the process that the orchestrator `{orchestrator}` forked it from is gone: {why}"
        );
        running.fail(message, &mut self.buffer);
    }

    /// Reports how an attempt ended; returns its process.
    fn ended(&mut self, job: u64, ended: Ended) -> Option<Process> {
        let running = self.running.remove(&job)?;
        self.give_back(&running);
        Some(running.end(ended, &mut self.buffer))
    }

    fn cancel(&mut self, job: &Job) {
        let found = self.running.iter().find(|(_, running)| running.attempt.id() == *job);
        if let Some(job) = found.map(|(&job, _)| job) {
            self.stop(job);
        }
    }

    fn stop(&mut self, job: u64) {
        let grace = Duration::try_from_secs_f64(self.setup.config.grace.0).unwrap_or_default();
        let Some(running) = self.running.get_mut(&job) else { return };
        running.stop(self.warm.zygote_mut(), job, grace);
        if matches!(running.process, Process::Waiting { is_asked: false, .. }) {
            self.ended(job, Ended::Signal(Signal::SIGTERM as i32));
        }
    }

    /// Ends whatever still runs, at once.
    fn close(&mut self) {
        self.is_closing = true;
        for (&job, process) in &self.leaving {
            process.signal(self.warm.zygote_mut(), job, Signal::SIGKILL);
        }
        for job in self.running.keys().copied().collect::<Vec<_>>() {
            self.stop(job);
            self.stop(job);
        }
    }

    /// Does what is due: kills steps that did not end in time, gives up a zygote that is not ready.
    fn keep_time(&mut self) {
        let now = Instant::now();
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let overdue = self.running.iter().filter(|(_, running)| is_due(running.kill_at()));
        for job in overdue.map(|(&job, _)| job).collect::<Vec<_>>() {
            self.stop(job);
        }
        if self.running.values().any(|running| is_due(running.overdue_at())) {
            self.lose_zygote("it does not answer");
        }
        if is_due(self.warm.overdue_at()) {
            self.lose_zygote("it did not finish its imports");
        }
    }

    fn give_back(&self, running: &Running) {
        self.setup.gpus.take_back(&running.attempt.id());
    }

    /// Starts a thread that waits for the end of the process whose id it is sent, without reaping
    /// it. It is there before the process is, so that none runs which nobody sees end.
    fn waiter(&self, job: u64) -> std::io::Result<Sender<u32>> {
        let mailbox = self.mailbox.clone();
        let (sender, pids) = bounded::<u32>(1);
        let wait = move || {
            let Ok(pid) = pids.recv() else { return };
            let pid = Id::Pid(Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX)));
            let _ = waitid(pid, WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
            mailbox.send(Request::Ended(job));
        };
        thread::Builder::new().name("partita-process".to_owned()).spawn(wait)?;
        Ok(sender)
    }
}

fn not_started(error: &std::io::Error) -> String {
    format!("its process could not be started: {error}")
}
