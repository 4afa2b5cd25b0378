//! What a step prints: read from its pipes, by line, and put into its log.
//!
//! The step never waits for the log: its pipes are read as they fill, whatever becomes of the lines.

use std::io::{ErrorKind, PipeReader, PipeWriter, Read, pipe};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use partita_core::settings::Memory;
use partita_engine::secrets::{Redaction, Secrets};
use partita_engine::step_runner::{LogStream, StepLog};

use super::config::ProcessOrchestratorConfig;

/// Shows what steps print while they run.
pub trait Echo: Send + Sync {
    /// Shows a line of a step; it must not wait.
    fn line(&self, step: &str, stream: LogStream, line: &str);
}

/// Longest line, in bytes; a longer one is recorded as several.
const LINE_LIMIT: usize = 1 << 16;

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 16;

/// The pipes of a process: those that are read, and its own.
pub(super) type Pipes = ([PipeReader; 2], [PipeWriter; 2]);

/// Returns both ends of the pipes of a process: those that are read, and its own.
pub(super) fn pipes() -> std::io::Result<Pipes> {
    let ((stdout, out), (stderr, err)) = (pipe()?, pipe()?);
    Ok(([stdout, stderr], [out, err]))
}

/// Both streams of one attempt.
pub(super) struct Output {
    streams: [Stream; 2],
    sink: Sink,
}

struct Stream {
    kind: LogStream,
    pipe: Option<PipeReader>,
    /// What was read of a line that has not ended.
    open: Vec<u8>,
    redaction: Redaction,
}

/// Where lines go.
struct Sink {
    step: String,
    log: StepLog,
    echo: Arc<dyn Echo>,
    budget: Budget,
    /// The secrets of the run, which no line tells.
    secrets: Option<Arc<Secrets>>,
}

impl Output {
    /// Returns the output of an attempt, read from these pipes; `step` says whose it is.
    pub(super) fn new(
        step: String,
        pipes: [PipeReader; 2],
        log: StepLog,
        echo: Arc<dyn Echo>,
        config: &ProcessOrchestratorConfig,
        secrets: Option<&Arc<Secrets>>,
    ) -> std::io::Result<Self> {
        for pipe in &pipes {
            fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        let [stdout, stderr] = pipes;
        let stream = |kind, pipe| Stream {
            kind,
            pipe: Some(pipe),
            open: Vec::new(),
            redaction: Redaction::default(),
        };
        let secrets = secrets.map(Arc::clone);
        let sink = Sink { step, log, echo, budget: Budget::of(config), secrets };
        Ok(Self {
            streams: [stream(LogStream::Stdout, stdout), stream(LogStream::Stderr, stderr)],
            sink,
        })
    }

    /// Returns the pipes that may have more, each with its number.
    pub(super) fn pipes(&self) -> impl Iterator<Item = (usize, BorrowedFd<'_>)> {
        let pipe = |(number, stream): (usize, &'_ Stream)| (number, stream.pipe.is_some());
        let open = self.streams.iter().enumerate().map(pipe).filter(|(_, is_open)| *is_open);
        open.filter_map(|(number, _)| Some((number, self.streams[number].pipe.as_ref()?.as_fd())))
    }

    /// Reads once from the pipe with this number.
    pub(super) fn read(&mut self, number: usize, buffer: &mut Vec<u8>) {
        self.streams[number].read(buffer, &mut self.sink);
    }

    /// Adds a line of Partita's own.
    pub(super) fn note(&self, text: &str) {
        self.sink.log.write(LogStream::Stderr, &format!("partita: {text}\n"));
    }

    /// Reads what is left, now that the process has ended. Processes that it left behind may keep
    /// the pipes open; what they print is not waited for.
    pub(super) fn finish(mut self, buffer: &mut Vec<u8>) {
        for stream in &mut self.streams {
            while stream.read(buffer, &mut self.sink) {}
            stream.release(&mut self.sink);
            let open = std::mem::take(&mut stream.open);
            if !open.is_empty() {
                self.sink.line(stream.kind, last_drawn(&open));
            }
        }
        self.sink.finish();
    }
}

impl Stream {
    /// Reads once; returns whether there may be more at once.
    fn read(&mut self, buffer: &mut Vec<u8>, sink: &mut Sink) -> bool {
        buffer.resize(CHUNK, 0);
        let Some(pipe) = &mut self.pipe else { return false };
        match pipe.read(buffer) {
            Ok(0) => self.pipe = None,
            Ok(count) => self.redact(&buffer[..count], sink),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(_) => self.pipe = None,
        }
        self.pipe.is_some()
    }

    /// Takes what was read, without the values of secrets.
    fn redact(&mut self, data: &[u8], sink: &mut Sink) {
        match sink.secrets.clone().as_deref().and_then(Secrets::redactor) {
            Some(redactor) => {
                let told = self.redaction.take(redactor, data);
                self.take(&told, sink);
            }
            None => self.take(data, sink),
        }
    }

    /// Takes what has waited for the rest of a value that did not come.
    fn release(&mut self, sink: &mut Sink) {
        if let Some(redactor) = sink.secrets.clone().as_deref().and_then(Secrets::redactor) {
            let rest = self.redaction.finish(redactor);
            self.take(&rest, sink);
        }
    }

    fn take(&mut self, mut data: &[u8], sink: &mut Sink) {
        while let Some(end) = data.iter().position(|&byte| byte == b'\n') {
            self.open.extend_from_slice(&data[..end]);
            sink.line(self.kind, last_drawn(&self.open));
            self.open.clear();
            data = &data[end + 1..];
        }
        self.open.extend_from_slice(data);
        // A line that is drawn again and again ends as it was drawn last.
        if let Some(start) = redrawn_at(&self.open) {
            self.open.drain(..start);
        }
        if self.open.len() > LINE_LIMIT {
            sink.line(self.kind, &self.open);
            self.open.clear();
        }
    }
}

/// Returns a line as it was drawn last, after the carriage returns inside of it.
fn last_drawn(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    redrawn_at(line).map_or(line, |start| &line[start..])
}

/// Returns where the last drawing of a line begins, if it was drawn more than once.
fn redrawn_at(line: &[u8]) -> Option<usize> {
    let returned = line.iter().rposition(|&byte| byte == b'\r')?;
    // With nothing after it yet, what stands there is the text before.
    (returned + 1 < line.len()).then_some(returned + 1)
}

impl Sink {
    fn line(&mut self, stream: LogStream, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        self.echo.line(&self.step, stream, &line);
        if self.budget.takes(line.len() + 1) {
            self.log.write(stream, &format!("{line}\n"));
        }
        if let Some(left_out) = self.budget.tell() {
            self.log.write(LogStream::Stderr, &format!("partita: {left_out}\n"));
        }
    }

    fn finish(&mut self) {
        if let Some(left_out) = self.budget.rest() {
            self.log.write(LogStream::Stderr, &format!("partita: {left_out}\n"));
        }
        self.log.finish();
    }
}

/// How much a log still takes, and what it has left out.
struct Budget {
    rate: Option<u32>,
    size: u64,
    left: u64,
    second: Instant,
    /// Lines of this second.
    lines: u32,
    /// Lines left out since that was last told.
    left_out: u64,
    is_full: bool,
    is_full_told: bool,
}

impl Budget {
    fn of(config: &ProcessOrchestratorConfig) -> Self {
        Self {
            rate: config.log_rate.map(std::num::NonZero::get),
            size: config.log_size.0,
            left: config.log_size.0,
            second: Instant::now(),
            lines: 0,
            left_out: 0,
            is_full: false,
            is_full_told: false,
        }
    }

    /// Decides whether the log takes one more line of this many bytes.
    fn takes(&mut self, bytes: usize) -> bool {
        if self.second.elapsed() >= Duration::from_secs(1) {
            self.second = Instant::now();
            self.lines = 0;
        }
        self.lines = self.lines.saturating_add(1);
        self.is_full |= self.left < bytes as u64;
        if self.is_full || self.rate.is_some_and(|rate| self.lines > rate) {
            self.left_out += 1;
            return false;
        }
        self.left -= bytes as u64;
        true
    }

    /// Returns what is to be said of lines that were left out, once the log takes lines again or
    /// will take none any more.
    fn tell(&mut self) -> Option<String> {
        if self.is_full {
            let is_told = std::mem::replace(&mut self.is_full_told, true);
            return (!is_told).then(|| {
                format!(
                    "this log ends here, since it has reached {} (`log_size` of the orchestrator)",
                    Memory(self.size)
                )
            });
        }
        if self.left_out == 0 || self.rate.is_some_and(|rate| self.lines > rate) {
            return None;
        }
        self.rest()
    }

    /// Returns what is to be said of lines that were left out so far.
    fn rest(&mut self) -> Option<String> {
        let left_out = std::mem::take(&mut self.left_out);
        let (rate, lines) = (self.rate?, if left_out == 1 { "line" } else { "lines" });
        (left_out > 0 && !self.is_full).then(|| {
            format!(
                "{left_out} {lines} left out here, more than {rate} a second (`log_rate` of the \
                 orchestrator)"
            )
        })
    }
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
