//! The writer of the index: one thread that groups changes into transactions, so that nothing on
//! a step's path waits for a database.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use super::error::{MetadataError, Result};
use super::{Change, RunIndex};

/// How long a change may wait for others to be written with it.
const LINGER: Duration = Duration::from_millis(20);
/// Changes in one transaction, at most.
const BATCH: usize = 8192;

enum Message {
    Change(Change),
    Flush(Sender<Result<()>>),
}

/// Records changes in an index from a thread of its own; dropping it writes what is left.
#[derive(Debug)]
pub struct IndexWriter {
    sender: Option<Sender<Message>>,
    thread: Option<JoinHandle<()>>,
}

impl IndexWriter {
    /// Starts a writer of `index`.
    ///
    /// # Errors
    /// If the system gives it no thread.
    pub fn start(index: Arc<dyn RunIndex>) -> Result<Self> {
        let (sender, receiver) = unbounded();
        let thread = std::thread::Builder::new()
            .name("partita-index".to_owned())
            .spawn(move || write(&*index, &receiver))
            .map_err(|error| stopped(&error.to_string()))?;
        Ok(Self { sender: Some(sender), thread: Some(thread) })
    }

    /// Records a change soon; never waits for a disk.
    pub fn record(&self, change: Change) {
        if let Some(sender) = &self.sender {
            // A writer that has stopped says so when it is flushed.
            let _ = sender.send(Message::Change(change));
        }
    }

    /// Waits until everything recorded so far is written.
    ///
    /// # Errors
    /// The first error since the last flush. The documents have what the index now lacks; see
    /// [`super::Runs::refresh`].
    pub fn flush(&self) -> Result<()> {
        let (answer, answered) = bounded(1);
        let sent =
            self.sender.as_ref().is_some_and(|sender| sender.send(Message::Flush(answer)).is_ok());
        if !sent {
            return Err(stopped("its writer has stopped"));
        }
        answered.recv().unwrap_or_else(|_| Err(stopped("its writer has stopped")))
    }
}

impl Drop for IndexWriter {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(thread) = self.thread.take() {
            // It ends by itself now; if it panicked, the documents still have everything.
            let _ = thread.join();
        }
    }
}

fn stopped(reason: &str) -> MetadataError {
    MetadataError::Failed {
        path: "the index of runs".to_owned(),
        reason: reason.to_owned(),
        help: "; type `partita store rebuild` when the run has ended".to_owned(),
    }
}

fn write(index: &dyn RunIndex, receiver: &Receiver<Message>) {
    let mut first_error = None;
    while let Ok(message) = receiver.recv() {
        let (changes, flush) = gather(message, receiver);
        if !changes.is_empty()
            && let Err(error) = index.apply(&changes)
        {
            first_error.get_or_insert(error);
        }
        if let Some(answer) = flush {
            // Whoever asked may have gone.
            let _ = answer.send(first_error.take().map_or(Ok(()), Err));
        }
    }
}

/// Returns what is to be written together, and who waits for it.
fn gather(
    first: Message,
    receiver: &Receiver<Message>,
) -> (Vec<Change>, Option<Sender<Result<()>>>) {
    let deadline = Instant::now() + LINGER;
    let mut changes = Vec::new();
    let mut next = Some(first);
    while let Some(message) = next {
        match message {
            Message::Change(change) => changes.push(change),
            Message::Flush(answer) => return (changes, Some(answer)),
        }
        next = if changes.len() < BATCH { receiver.recv_deadline(deadline).ok() } else { None };
    }
    (changes, None)
}
