//! Lines out of a pipe that is never waited for.

use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

/// Bytes that are read at a time, at most.
const CHUNK: u64 = 1 << 16;

/// Reads lines of a limited length.
pub(super) struct Lines<R> {
    pipe: Option<R>,
    buffer: Vec<u8>,
    /// Where in the buffer no line ends before.
    searched: usize,
    limit: usize,
    /// Whether what comes belongs to a line that was too long.
    is_skipping: bool,
}

/// What came of a look.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, without its end.
    Whole(Vec<u8>),
    /// There is none yet.
    None,
    /// There will be none.
    End,
    /// One is longer than the limit; this is how it begins, and the rest is passed over.
    TooLong(Vec<u8>),
    /// Some of such a rest was passed over; it may go on without end.
    Skipped,
}

impl<R: Read + AsFd> Lines<R> {
    pub(super) fn new(pipe: R, limit: usize) -> std::io::Result<Self> {
        fcntl(&pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { pipe: Some(pipe), buffer: Vec::new(), searched: 0, limit, is_skipping: false })
    }

    /// Returns what to wait for, unless the pipe has ended.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Returns the next line, if it is there. It reads no more than a line may have.
    pub(super) fn next(&mut self) -> Line {
        loop {
            if self.skip() {
                return Line::Skipped;
            }
            if let Some(end) = self.buffer[self.searched..].iter().position(|&byte| byte == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=self.searched + end).collect();
                line.pop();
                self.searched = 0;
                return Line::Whole(line);
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > self.limit {
                self.is_skipping = true;
                self.searched = 0;
                return Line::TooLong(std::mem::take(&mut self.buffer));
            }
            if !self.fill() {
                return match (&self.pipe, self.buffer.is_empty()) {
                    (Some(_), _) => Line::None,
                    (None, true) => Line::End,
                    (None, false) => {
                        self.searched = 0;
                        Line::Whole(std::mem::take(&mut self.buffer))
                    }
                };
            }
        }
    }

    /// Passes over the rest of a line that was too long; returns whether it was no more than a part.
    fn skip(&mut self) -> bool {
        if !self.is_skipping || self.buffer.is_empty() {
            return false;
        }
        let end = self.buffer.iter().position(|&byte| byte == b'\n');
        self.is_skipping = end.is_none();
        self.buffer.drain(..end.map_or(self.buffer.len(), |end| end + 1));
        self.searched = 0;
        self.is_skipping
    }

    /// Reads what is there, up to a chunk; returns whether that brought something.
    fn fill(&mut self) -> bool {
        let Some(pipe) = &mut self.pipe else { return false };
        let before = self.buffer.len();
        match pipe.by_ref().take(CHUNK).read_to_end(&mut self.buffer) {
            Ok(count) if count as u64 == CHUNK => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            _ => self.pipe = None,
        }
        self.buffer.len() > before
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn lines_come_whole_however_they_were_written() {
        let (pipe, mut writer) = std::io::pipe().unwrap();
        let mut lines = Lines::new(pipe, 8).unwrap();
        assert_eq!(lines.next(), Line::None);
        writer.write_all(b"one\ntw").unwrap();
        assert_eq!(lines.next(), Line::Whole(b"one".to_vec()));
        assert_eq!(lines.next(), Line::None);
        writer.write_all(b"o\n\nlast").unwrap();
        drop(writer);
        let rest: Vec<Line> = (0..4).map(|_| lines.next()).collect();
        let whole = |text: &str| Line::Whole(text.as_bytes().to_vec());
        assert_eq!(rest, [whole("two"), whole(""), whole("last"), Line::End]);
    }

    #[test]
    fn the_rest_of_a_line_that_is_too_long_is_passed_over() {
        let (pipe, mut writer) = std::io::pipe().unwrap();
        let mut lines = Lines::new(pipe, 8).unwrap();
        writer.write_all(b"more than eight").unwrap();
        assert_eq!(lines.next(), Line::TooLong(b"more than eight".to_vec()));
        writer.write_all(b" and more").unwrap();
        assert_eq!(lines.next(), Line::Skipped);
        assert_eq!(lines.next(), Line::None);
        writer.write_all(b" still\nnext\n").unwrap();
        assert_eq!(lines.next(), Line::Whole(b"next".to_vec()));
    }

    #[test]
    fn a_line_without_an_end_is_passed_over_in_parts() {
        let mut lines = Lines::new(std::fs::File::open("/dev/zero").unwrap(), 8).unwrap();
        assert!(matches!(lines.next(), Line::TooLong(_)));
        assert_eq!(lines.next(), Line::Skipped);
        assert_eq!(lines.next(), Line::Skipped);
    }
}
