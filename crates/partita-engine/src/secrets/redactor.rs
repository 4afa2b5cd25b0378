//! Takes values out of text: where one was, its reference is written.

use std::borrow::Cow;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use partita_core::secret::Reference;

use super::{SecretError, forms};

/// Fewest bytes that are not taken for a value by accident, in data of any size.
const CERTAIN: usize = 8;

/// Finds values in all their usual forms, in one pass.
pub struct Redactor {
    forms: AhoCorasick,
    /// The references of the forms, by number.
    references: Vec<Reference>,
    /// The forms, in order, to find out what the beginning of one looks like.
    sorted: Vec<Vec<u8>>,
    longest: usize,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redactor").finish_non_exhaustive()
    }
}

impl Redactor {
    /// Returns what finds these values.
    pub(super) fn of<'a>(
        values: impl Iterator<Item = (&'a Reference, &'a str)>,
    ) -> Result<Self, SecretError> {
        let (mut sorted, mut references) = (Vec::new(), Vec::new());
        for (reference, value) in values {
            let forms = forms::of(value);
            references.extend(std::iter::repeat_n(reference.clone(), forms.len()));
            sorted.extend(forms);
        }
        // Small for long values, and quick to make: a run makes one.
        let kind = Some(AhoCorasickKind::ContiguousNFA);
        let mut builder = AhoCorasick::builder();
        let forms = builder
            .kind(kind)
            .match_kind(MatchKind::LeftmostLongest)
            .build(&sorted)
            .map_err(|error| SecretError::TooMany(error.to_string()))?;
        let longest = sorted.iter().map(Vec::len).max().unwrap_or(0);
        sorted.sort_unstable();
        sorted.dedup();
        Ok(Self { forms, references, sorted, longest })
    }

    /// Returns `text` without values.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !self.forms.is_match(text) {
            return Cow::Borrowed(text);
        }
        let redacted = self.bytes(text.as_bytes());
        Cow::Owned(String::from_utf8_lossy(&redacted).into_owned())
    }

    /// Returns the reference of the first value in `data` that is there by no accident: a short one
    /// stands in many a large file.
    pub fn find(&self, data: &[u8]) -> Option<&Reference> {
        let found = self.forms.find_iter(data).find(|found| found.len() >= CERTAIN)?;
        self.references.get(found.pattern().as_usize())
    }

    /// Returns the bytes of the longest form.
    pub fn longest(&self) -> usize {
        self.longest
    }

    fn bytes(&self, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(data.len());
        self.forms.replace_all_with_bytes(data, &mut out, |found, _, out| {
            if let Some(reference) = self.references.get(found.pattern().as_usize()) {
                out.extend_from_slice(reference.to_string().as_bytes());
            }
            true
        });
        out
    }

    /// Returns where the end of `data` begins that may be the beginning of a form.
    fn open_end(&self, data: &[u8]) -> usize {
        let first = data.len().saturating_sub(self.longest.saturating_sub(1));
        let may_begin = |start: &usize| {
            let end = &data[*start..];
            // The forms that begin with it stand together, and a form that it is comes first.
            let next = self.sorted.partition_point(|form| form.as_slice() <= end);
            self.sorted.get(next).is_some_and(|form| form.starts_with(end))
        };
        (first..data.len()).find(may_begin).unwrap_or(data.len())
    }
}

/// Redacts a stream that comes bit by bit: what may be the beginning of a value waits for the rest.
#[derive(Default)]
pub struct Redaction {
    held: Vec<u8>,
}

impl Redaction {
    /// Takes more of the stream; returns what of it may be told now.
    pub fn take(&mut self, redactor: &Redactor, data: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(data);
        // A form that another one continues waits as well, so that the longer one is found.
        let mut end = redactor.open_end(&self.held);
        for found in redactor.forms.find_iter(&self.held) {
            if found.start() < end && end < found.end() {
                end = found.start();
            }
        }
        let rest = self.held.split_off(end);
        let told = std::mem::replace(&mut self.held, rest);
        redactor.bytes(&told)
    }

    /// Returns what has waited until the end of the stream.
    pub fn finish(&mut self, redactor: &Redactor) -> Vec<u8> {
        redactor.bytes(&std::mem::take(&mut self.held))
    }
}
