//! Shows on the terminal what steps print in processes of their own, and what becomes of these.
//!
//! A terminal may be slow, or stopped with Ctrl-S. So a thread writes: neither a step nor the engine
//! waits for it, but for the engine at the run's end. Lines that it cannot keep up with are counted in
//! place of shown; the steps' logs have them all.

use std::io::Write;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Instant;

use partita_engine::drive::{Observer, RunEvent};
use partita_engine::step_runner::LogStream;
use partita_orchestrators::output::Echo;

use crate::progress::{Progress, Stream};

/// Lines that may wait to be written.
const MOST_WAITING: usize = 1 << 12;

enum Message {
    Line(Stream, String),
    Event(RunEvent, Instant),
    /// Everything before this is to be written.
    Flush(Sender<()>),
}

/// Writes the lines of steps, each with its step's name before it, and what happens in their run.
pub(super) struct TerminalEcho {
    progress: Arc<Progress>,
    /// Whether steps run in this process, and write to the terminal themselves: what is said of one
    /// comes before what it prints.
    has_own: bool,
    /// The thread that writes, once there is something to be written.
    writer: OnceLock<Option<Sender<Message>>>,
    lines: Arc<Lines>,
}

/// Lines that are not written.
#[derive(Default)]
struct Lines {
    waiting: AtomicUsize,
    left_out: AtomicU64,
}

impl TerminalEcho {
    /// Returns an echo that shares the terminal with the display of the run; `has_own` says whether
    /// steps run in this process.
    pub(super) fn new(progress: &Arc<Progress>, has_own: bool) -> Self {
        let progress = Arc::clone(progress);
        Self { progress, has_own, writer: OnceLock::new(), lines: Arc::default() }
    }

    /// Starts the thread that writes.
    fn start(&self) -> Option<Sender<Message>> {
        let (messages, inbox) = channel();
        let (progress, lines) = (Arc::clone(&self.progress), Arc::clone(&self.lines));
        let thread = thread::Builder::new().name("partita-echo".to_owned());
        thread.spawn(move || write_all(&inbox, &progress, &lines)).ok()?;
        Some(messages)
    }

    fn send(&self, message: Message) -> bool {
        let writer = self.writer.get_or_init(|| self.start());
        writer.as_ref().is_some_and(|writer| writer.send(message).is_ok())
    }

    /// Waits until everything is written.
    fn flush(&self) {
        let (done, written) = channel();
        if self.send(Message::Flush(done)) {
            let _ = written.recv();
        }
    }
}

impl Echo for TerminalEcho {
    fn line(&self, step: &str, stream: LogStream, line: &str) {
        let stream = match stream {
            LogStream::Stdout => Stream::Stdout,
            LogStream::Stderr => Stream::Stderr,
        };
        let is_full = self.lines.waiting.fetch_add(1, Ordering::Relaxed) >= MOST_WAITING;
        if is_full || !self.send(Message::Line(stream, format!("{step} | {line}\n"))) {
            self.lines.waiting.fetch_sub(1, Ordering::Relaxed);
            self.lines.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Observer for TerminalEcho {
    fn on(&self, event: &RunEvent) {
        let is_end = matches!(event, RunEvent::RunEnded { .. });
        if is_end && self.has_own && self.writer.get().is_some() {
            self.flush();
        }
        let told = !self.has_own && self.send(Message::Event(event.clone(), Instant::now()));
        if !told {
            self.progress.on(event);
        } else if is_end {
            self.flush();
        }
    }
}

fn write_all(inbox: &Receiver<Message>, progress: &Progress, lines: &Lines) {
    while let Ok(message) = inbox.recv() {
        match message {
            Message::Line(stream, text) => {
                lines.waiting.fetch_sub(1, Ordering::Relaxed);
                write(progress, stream, &text);
                let missing = lines.left_out.swap(0, Ordering::Relaxed);
                if missing > 0 {
                    let text = format!(
                        "partita | {missing} lines are not shown here; `partita runs logs` has them\n"
                    );
                    write(progress, Stream::Stderr, &text);
                }
            }
            Message::Event(event, at) => progress.on_at(&event, at),
            Message::Flush(done) => {
                let _ = done.send(());
            }
        }
    }
}

fn write(progress: &Progress, stream: Stream, text: &str) {
    progress.make_room(stream, text);
    // That nobody reads it is no reason to fail.
    let _ = match stream {
        Stream::Stdout => std::io::stdout().write_all(text.as_bytes()),
        Stream::Stderr => std::io::stderr().write_all(text.as_bytes()),
    };
    progress.printed(stream);
}
