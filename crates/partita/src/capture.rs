//! What steps print in this process: recorded in their logs, and shown all the same.
//!
//! Standard output is a pipe while steps run here. A thread reads it, and so does whoever ends a step, so
//! that the step's lines are in its log by then. Standard error stays what it is: what a crash says
//! would be lost in a pipe. Events are noted by whoever has them, and are shown there.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, ErrorKind, PipeReader, Read, Write, pipe};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::dup2_stdout;
use partita_cli::progress::{Progress, Stream};
use partita_core::launcher::Attempt;
use partita_engine::step_runner::{LogStream, Printed, StepCall, labelled};

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 16;

/// What records in this process, while something does.
static ACTIVE: Mutex<Weak<Shared>> = Mutex::new(Weak::new());

/// Records what this process prints, until it is dropped.
pub(crate) struct Capture {
    shared: Arc<Shared>,
    /// What standard output was.
    outer: File,
}

struct Shared {
    pipe: PipeReader,
    state: Mutex<State>,
    progress: Option<Arc<Progress>>,
}

struct State {
    /// The step that runs, if one does, and the attempt if its lines are shown with its name.
    step: Option<(Printed, Option<Attempt>)>,
    shown: File,
    buffer: Vec<u8>,
}

/// Writes whole lines to the log of the step that runs in this process, if one does, and to standard
/// error. Where that is recorded by whoever started the process, it is the log.
pub(crate) fn note(lines: &[u8]) -> io::Result<()> {
    let active = ACTIVE.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
    match active {
        Some(shared) => {
            shared.note(lines);
            Ok(())
        }
        None => io::stderr().write_all(lines),
    }
}

/// A step that runs; what it has printed is in its log when this is dropped.
pub(crate) struct Recording<'a>(&'a Shared);

impl Capture {
    /// Makes standard output one that is recorded.
    pub(crate) fn begin(progress: Option<Arc<Progress>>) -> io::Result<Self> {
        // No process that is started here has it: one that outlives this would hold it open.
        let outer = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let (reader, writer) = pipe()?;
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let state = State { step: None, shown: outer.try_clone()?, buffer: vec![0; CHUNK] };
        let shared = Arc::new(Shared { pipe: reader, state: Mutex::new(state), progress });
        dup2_stdout(&writer)?;
        *ACTIVE.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&shared);
        let reading = Arc::clone(&shared);
        let thread = thread::Builder::new().name("partita-capture".to_owned());
        thread.spawn(move || while reading.wait() && reading.read(&mut reading.state()) {})?;
        Ok(Self { shared, outer })
    }

    /// Records what is printed from now on in the log of a step.
    pub(crate) fn record(&self, call: &StepCall<'_>, is_labelled: bool) -> Recording<'_> {
        let mut state = self.shared.state();
        self.shared.read(&mut state);
        let printed = Printed::new(Arc::clone(&call.log), call.secrets);
        state.step = Some((printed, is_labelled.then(|| call.attempt.clone())));
        Recording(&self.shared)
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = io::stdout().flush();
        self.shared.read(&mut self.shared.state());
        // The thread ends with the pipe, which processes that steps have left may hold open.
        let _ = dup2_stdout(&self.outer);
    }
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        let _ = io::stdout().flush();
        let mut state = self.0.state();
        self.0.read(&mut state);
        let State { step, shown, .. } = &mut *state;
        if let Some((mut printed, attempt)) = step.take() {
            printed.finish(LogStream::Stdout, |text| self.0.show_lines(shown, &attempt, text));
            printed.finish(LogStream::Stderr, |text| self.0.show_events(&attempt, text));
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to read; returns whether there may be.
    fn wait(&self) -> bool {
        let mut pipe = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
        poll(&mut pipe, PollTimeout::NONE).is_ok()
    }

    /// Takes what there is; returns whether there may be more some time.
    fn read(&self, state: &mut State) -> bool {
        loop {
            let State { step, shown, buffer } = state;
            match (&self.pipe).read(buffer) {
                Ok(0) => return false,
                Ok(count) => match step {
                    Some((printed, attempt)) => {
                        printed.take(LogStream::Stdout, &buffer[..count], |text| {
                            self.show_lines(shown, attempt, text);
                        });
                    }
                    None => self.show(Stream::Stdout, shown, &buffer[..count]),
                },
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }

    /// Takes lines that were not printed, after what was printed before.
    fn note(&self, lines: &[u8]) {
        let _ = io::stdout().flush();
        let mut state = self.state();
        self.read(&mut state);
        match &mut state.step {
            Some((printed, attempt)) => {
                printed.take(LogStream::Stderr, lines, |text| self.show_events(attempt, text));
            }
            None => self.show(Stream::Stderr, &mut io::stderr(), lines),
        }
    }

    fn show_lines(&self, mut shown: &File, attempt: &Option<Attempt>, text: &str) {
        self.show(Stream::Stdout, &mut shown, told(attempt, text).as_bytes());
    }

    fn show_events(&self, attempt: &Option<Attempt>, text: &str) {
        self.show(Stream::Stderr, &mut io::stderr(), told(attempt, text).as_bytes());
    }

    fn show(&self, stream: Stream, shown: &mut dyn Write, data: &[u8]) {
        if let Some(progress) = &self.progress {
            progress.make_room(stream, &String::from_utf8_lossy(data));
        }
        // Nobody may be reading.
        let _ = shown.write_all(data);
        if let Some(progress) = &self.progress {
            progress.printed(stream);
        }
    }
}

/// Returns lines as they are shown: with the name of their step where it has to be told.
fn told<'t>(attempt: &Option<Attempt>, text: &'t str) -> Cow<'t, str> {
    attempt.as_ref().map_or(text.into(), |attempt| labelled(attempt, text).into())
}
