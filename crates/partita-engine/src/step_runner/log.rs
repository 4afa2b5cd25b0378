//! The log of one attempt: one line of output a line, with its time and stream.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::clock;
use crate::store::ArtifactStore;

/// Where a line was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Records what a step prints. The file is made with the first line.
pub struct StepLog {
    store: Arc<dyn ArtifactStore>,
    path: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    writer: Option<Box<dyn Write + Send>>,
    unfinished: [String; 2],
    /// A line could not be recorded; what a step prints is not worth the step.
    has_failed: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    at: partita_core::time::Timestamp,
    stream: LogStream,
    line: &'a str,
}

/// Longest line, in bytes; a longer one is recorded as several.
const LINE_LIMIT: usize = 1 << 20;

impl StepLog {
    /// Returns the log that will be at `path`.
    pub fn new(store: Arc<dyn ArtifactStore>, path: String) -> Self {
        Self { store, path, state: Mutex::default() }
    }

    /// Records `text`; what follows its last line break waits for the rest of that line.
    pub fn write(&self, stream: LogStream, text: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let index = usize::from(stream == LogStream::Stderr);
        let unfinished = &mut state.unfinished[index];
        let is_line_done = text.contains('\n') || unfinished.len() + text.len() > LINE_LIMIT;
        unfinished.push_str(text);
        if !is_line_done {
            return;
        }
        let pending = std::mem::take(unfinished);
        let mut lines = Vec::new();
        let mut rest = pending.as_str();
        loop {
            let end = match rest.find('\n') {
                Some(end) if end <= LINE_LIMIT => end,
                _ if rest.len() > LINE_LIMIT => rest.floor_char_boundary(LINE_LIMIT),
                _ => break,
            };
            encode(&mut lines, stream, &rest[..end]);
            rest = rest[end..].strip_prefix('\n').unwrap_or(&rest[end..]);
        }
        state.unfinished[index] = rest.to_owned();
        self.put(&mut state, &lines);
    }

    /// Records lines that have no line break yet, at the end of the attempt.
    pub fn finish(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = Vec::new();
        for (index, stream) in [LogStream::Stdout, LogStream::Stderr].into_iter().enumerate() {
            let text = std::mem::take(&mut state.unfinished[index]);
            if !text.is_empty() {
                encode(&mut lines, stream, &text);
            }
        }
        self.put(&mut state, &lines);
    }

    fn put(&self, state: &mut State, lines: &[u8]) {
        if lines.is_empty() || state.has_failed {
            return;
        }
        let writer = match &mut state.writer {
            Some(writer) => Ok(writer),
            empty => self.store.appender(&self.path).map(|writer| empty.insert(writer)),
        };
        state.has_failed = !writer.is_ok_and(|writer| writer.write_all(lines).is_ok());
    }
}

fn encode(lines: &mut Vec<u8>, stream: LogStream, line: &str) {
    let line = line.strip_suffix('\r').unwrap_or(line);
    if serde_json::to_writer(&mut *lines, &Line { at: clock::now(), stream, line }).is_ok() {
        lines.push(b'\n');
    }
}
