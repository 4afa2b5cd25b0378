//! The writer of the index: one thread that groups changes into transactions, so that nothing on
//! a step's path waits for a database.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::error::{MetadataError, Result};
use super::{Change, RunIndex};

/// How long a change may wait for others to be written with it.
const LINGER: Duration = Duration::from_millis(20);
/// Changes in one transaction, at most.
const BATCH: usize = 8192;

/// Records changes in an index from a thread of its own; dropping it writes what is left.
#[derive(Debug)]
pub struct IndexWriter {
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

/// Where changes lie until they are written. The writer is not woken for each of them: it sleeps
/// for as long as changes may wait, so that a step costs the system no switch to its thread.
#[derive(Debug, Default)]
struct Desk {
    state: Mutex<State>,
    /// Rung for the writer.
    bell: Condvar,
    /// Rung for those who wait for a flush.
    flushed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    changes: Vec<Change>,
    /// How many flushes were asked for, and how many are done.
    asked: u64,
    done: u64,
    /// Why the index lacks something, as of the last try.
    error: Option<MetadataError>,
    /// No more changes come.
    closed: bool,
    /// The writer has ended, as it may only after it was told to.
    gone: bool,
}

impl State {
    fn is_urgent(&self) -> bool {
        self.closed || self.asked > self.done || self.changes.len() >= BATCH
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IndexWriter {
    /// Starts a writer of `index`.
    ///
    /// # Errors
    /// If the system gives it no thread.
    pub fn start(index: Arc<dyn RunIndex>) -> Result<Self> {
        let desk = Arc::new(Desk::default());
        let writer = Writer(Arc::clone(&desk));
        let thread = std::thread::Builder::new()
            .name("partita-index".to_owned())
            .spawn(move || writer.write(&*index))
            .map_err(|error| stopped(&error.to_string()))?;
        Ok(Self { desk, thread: Some(thread) })
    }

    /// Records a change soon; never waits for a disk.
    pub fn record(&self, change: Change) {
        let mut state = self.desk.state();
        state.changes.push(change);
        if state.changes.len() == 1 || state.changes.len() == BATCH {
            self.desk.bell.notify_one();
        }
    }

    /// Waits until everything recorded so far is written.
    ///
    /// # Errors
    /// Why it could not be. The documents have what the index now lacks; see
    /// [`super::Runs::refresh`].
    pub fn flush(&self) -> Result<()> {
        let mut state = self.desk.state();
        state.asked += 1;
        let mine = state.asked;
        self.desk.bell.notify_one();
        while state.done < mine && !state.gone {
            state = self.desk.flushed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.done < mine {
            return Err(stopped("its writer has stopped"));
        }
        state.error.take().map_or(Ok(()), Err)
    }
}

impl Drop for IndexWriter {
    fn drop(&mut self) {
        self.desk.state().closed = true;
        self.desk.bell.notify_one();
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

/// The writer's own end of the desk.
struct Writer(Arc<Desk>);

impl Writer {
    /// Writes until no more comes. What could not be written is written before anything that came
    /// later: a run that the index says has ended is one that it has all of.
    fn write(&self, index: &dyn RunIndex) {
        let mut left = Vec::new();
        while let Some((changes, asked)) = self.gather() {
            left.extend(changes);
            let outcome = if left.is_empty() { Ok(()) } else { index.apply(&left) };
            let mut state = self.0.state();
            if outcome.is_ok() {
                left.clear();
            }
            state.error = outcome.err();
            if state.done < asked {
                state.done = asked;
                self.0.flushed.notify_all();
            }
        }
    }

    /// Returns what is to be written together and the flush that it answers; nothing at the end.
    fn gather(&self) -> Option<(Vec<Change>, u64)> {
        let bell = &self.0.bell;
        let idle = |state: &mut State| state.changes.is_empty() && !state.is_urgent();
        let state = bell.wait_while(self.0.state(), idle).unwrap_or_else(PoisonError::into_inner);
        let lingers = |state: &mut State| !state.is_urgent();
        let (mut state, _) =
            bell.wait_timeout_while(state, LINGER, lingers).unwrap_or_else(PoisonError::into_inner);
        let changes = std::mem::take(&mut state.changes);
        let is_over = changes.is_empty() && state.closed && state.asked == state.done;
        (!is_over).then_some((changes, state.asked))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.state().gone = true;
        self.0.flushed.notify_all();
    }
}
