//! What a step prints, put into its log by line, and shown.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use partita_core::launcher::Attempt;
use partita_core::settings::Memory;
use partita_engine::secrets::{Redaction, Secrets};
use partita_engine::step_runner::{LogStream, RunContext, StepLog};
use partita_engine::store::layout;

/// Shows what steps print while they run.
pub trait Echo: Send + Sync {
    /// Shows a line of a step; it must not wait.
    fn line(&self, step: &str, stream: LogStream, line: &str);
}

/// Longest line, in bytes; a longer one is recorded as several.
const LINE_LIMIT: usize = 1 << 16;

/// How much the log of a step takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogLimits {
    /// The lines a second.
    pub(crate) rate: Option<NonZeroU32>,
    /// The bytes of output.
    pub(crate) size: Memory,
}

/// Takes both streams of one attempt, bit by bit, and records them by line.
pub(crate) struct Output {
    streams: [Stream; 2],
    sink: Sink,
}

struct Stream {
    kind: LogStream,
    /// What came of a line that has not ended.
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
    /// Returns the output of an attempt of a run.
    pub(crate) fn of(
        attempt: &Attempt,
        run: &RunContext,
        echo: Arc<dyn Echo>,
        limits: LogLimits,
    ) -> Self {
        let step = attempt.step();
        let path = layout::log(&run.run_id, attempt.unit(), &step.name, attempt.number);
        let label = match attempt.item {
            Some(item) => format!("{}[{item}]", step.name),
            None => step.name.clone(),
        };
        Self::new(label, StepLog::new(Arc::clone(&run.store), path), echo, limits, run.secrets())
    }

    /// Returns the output of an attempt; `step` says whose it is.
    fn new(
        step: String,
        log: StepLog,
        echo: Arc<dyn Echo>,
        limits: LogLimits,
        secrets: Option<&Arc<Secrets>>,
    ) -> Self {
        let stream = |kind| Stream { kind, open: Vec::new(), redaction: Redaction::default() };
        let secrets = secrets.map(Arc::clone);
        let sink = Sink { step, log, echo, budget: Budget::of(limits), secrets };
        Self { streams: [stream(LogStream::Stdout), stream(LogStream::Stderr)], sink }
    }

    /// Takes what was printed to a stream.
    pub(crate) fn take(&mut self, stream: LogStream, data: &[u8]) {
        self.streams[usize::from(stream == LogStream::Stderr)].redact(data, &mut self.sink);
    }

    /// Adds a line of Partita's own.
    pub(crate) fn note(&self, text: &str) {
        self.sink.log.write(LogStream::Stderr, &format!("partita: {text}\n"));
    }

    /// Records lines that have not ended, and ends the log.
    pub(crate) fn finish(mut self) {
        for stream in &mut self.streams {
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
    /// Takes what came, without the values of secrets.
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
    fn of(limits: LogLimits) -> Self {
        Self {
            rate: limits.rate.map(NonZeroU32::get),
            size: limits.size.0,
            left: limits.size.0,
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
