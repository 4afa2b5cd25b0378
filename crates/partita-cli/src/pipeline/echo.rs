//! Shows on the terminal what steps print in processes of their own.
//!
//! A terminal may be slow, or stopped with Ctrl-S. So a thread writes, and lines that it cannot keep
//! up with are counted in place of shown; the steps' logs have them all.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use partita_engine::drive::{Observer, RunEvent};
use partita_engine::step_runner::LogStream;
use partita_orchestrators::output::Echo;

use crate::progress::{Progress, Stream};

/// Lines that may wait to be written.
const WAITING: usize = 1 << 12;

/// How long the end of a run waits for what steps have printed.
const PATIENCE: Duration = Duration::from_secs(1);

enum Message {
    Line(Stream, String),
    /// Everything before this is to be written.
    Flush(Sender<()>),
}

/// Writes the lines of steps, each with its step's name before it.
pub(super) struct TerminalEcho {
    progress: Arc<Progress>,
    /// The thread that writes, once there is a line.
    writer: OnceLock<Option<SyncSender<Message>>>,
    left_out: Arc<AtomicU64>,
}

impl TerminalEcho {
    /// Returns an echo that shares the terminal with the display of the run.
    pub(super) fn new(progress: &Arc<Progress>) -> Self {
        let progress = Arc::clone(progress);
        Self { progress, writer: OnceLock::new(), left_out: Arc::default() }
    }

    /// Starts the thread that writes.
    fn start(&self) -> Option<SyncSender<Message>> {
        let (messages, inbox) = sync_channel(WAITING);
        let (progress, left_out) = (Arc::clone(&self.progress), Arc::clone(&self.left_out));
        let thread = thread::Builder::new().name("partita-echo".to_owned());
        thread.spawn(move || write_lines(&inbox, &progress, &left_out)).ok()?;
        Some(messages)
    }

    fn send(&self, message: Message) -> bool {
        let writer = self.writer.get_or_init(|| self.start());
        writer.as_ref().is_some_and(|writer| writer.try_send(message).is_ok())
    }
}

impl Echo for TerminalEcho {
    fn line(&self, step: &str, stream: LogStream, line: &str) {
        let stream = match stream {
            LogStream::Stdout => Stream::Stdout,
            LogStream::Stderr => Stream::Stderr,
        };
        if !self.send(Message::Line(stream, format!("{step} | {line}\n"))) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Observer for TerminalEcho {
    /// Lets what steps have printed come before what is said of the run's end.
    fn on(&self, event: &RunEvent) {
        let has_lines = self.writer.get().is_some();
        if has_lines && matches!(event, RunEvent::RunEnded { .. }) {
            let (done, written) = channel();
            if self.send(Message::Flush(done)) {
                let _ = written.recv_timeout(PATIENCE);
            }
        }
    }
}

fn write_lines(inbox: &Receiver<Message>, progress: &Progress, left_out: &AtomicU64) {
    while let Ok(message) = inbox.recv() {
        match message {
            Message::Line(stream, text) => {
                write(progress, stream, &text);
                let missing = left_out.swap(0, Ordering::Relaxed);
                if missing > 0 {
                    let text = format!(
                        "partita | {missing} lines are not shown here; `partita runs logs` has them\n"
                    );
                    write(progress, Stream::Stderr, &text);
                }
            }
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
