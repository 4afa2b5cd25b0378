//! What a step prints through a pipe: put together to lines, without the values of secrets, and put into
//! its log, unless somebody else does that.

use std::sync::Arc;

use partita_core::launcher::Attempt;

use super::{LogStream, StepLog};
use crate::secrets::{Redaction, Secrets};

/// Bytes of the longest line; a longer one is recorded as several.
const LONGEST: usize = 1 << 16;
/// Characters of a line that a message tells.
const TOLD: usize = 300;

/// What an attempt has printed so far.
pub struct Printed {
    log: Option<Arc<StepLog>>,
    secrets: Option<Arc<Secrets>>,
    streams: [(Redaction, Vec<u8>); 2],
    last_error: Option<String>,
}

impl Printed {
    /// Returns what records in a log.
    pub fn new(log: Arc<StepLog>, secrets: Option<&Arc<Secrets>>) -> Self {
        Self { log: Some(log), ..Self::elsewhere(secrets) }
    }

    /// Returns what records nothing, since somebody else does.
    pub fn elsewhere(secrets: Option<&Arc<Secrets>>) -> Self {
        let secrets = secrets.map(Arc::clone);
        Self { log: None, secrets, streams: Default::default(), last_error: None }
    }

    /// Takes more of a stream, and has lines that are whole shown.
    pub fn take(&mut self, stream: LogStream, data: &[u8], show: impl FnOnce(&str)) {
        let (redaction, open) = &mut self.streams[index(stream)];
        match self.secrets.as_deref().and_then(Secrets::redactor) {
            Some(redactor) => open.extend(redaction.take(redactor, data)),
            None => open.extend_from_slice(data),
        }
        let end = open.iter().rposition(|byte| *byte == b'\n').map(|end| end + 1);
        let end = end.or((open.len() > LONGEST).then_some(open.len()));
        if let Some(end) = end {
            let rest = open.split_off(end);
            let lines = std::mem::replace(open, rest);
            self.tell(stream, &lines, show);
        }
    }

    /// Takes the end of a stream, and has what is left of it shown.
    pub fn finish(&mut self, stream: LogStream, show: impl FnOnce(&str)) {
        let (redaction, open) = &mut self.streams[index(stream)];
        if let Some(redactor) = self.secrets.as_deref().and_then(Secrets::redactor) {
            open.extend(redaction.finish(redactor));
        }
        let rest = std::mem::take(open);
        if !rest.is_empty() {
            self.tell(stream, &rest, show);
        }
    }

    /// Returns the beginning of the last line of standard error, if there is one.
    pub fn last_error(self) -> Option<String> {
        self.last_error
    }

    fn tell(&mut self, stream: LogStream, lines: &[u8], show: impl FnOnce(&str)) {
        let text = String::from_utf8_lossy(lines);
        if stream == LogStream::Stderr
            && let Some(line) = text.lines().rev().find(|line| !line.trim().is_empty())
        {
            self.last_error = Some(line.chars().take(TOLD).collect());
        }
        if let Some(log) = &self.log {
            log.write(stream, &text);
        }
        show(&text);
    }
}

/// Returns lines with the name of their step before each, for whoever mixes them with those of others.
pub fn labelled(attempt: &Attempt, text: &str) -> String {
    let item = attempt.item.map(|item| format!("[{item}]")).unwrap_or_default();
    let label = format!("{}{item} | ", attempt.step().name);
    text.lines().flat_map(|line| [&*label, line, "\n"]).collect()
}

fn index(stream: LogStream) -> usize {
    usize::from(stream == LogStream::Stderr)
}
