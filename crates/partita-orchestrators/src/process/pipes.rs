//! The pipes that a process prints into.
//!
//! The step never waits for its log: its pipes are read as they fill, whatever becomes of the lines.

use std::io::{ErrorKind, PipeReader, PipeWriter, Read, pipe};
use std::os::fd::{AsFd, BorrowedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use partita_engine::step_runner::LogStream;

use crate::output::Output;

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 16;

/// The streams, in the order of their numbers.
const STREAMS: [LogStream; 2] = [LogStream::Stdout, LogStream::Stderr];

/// The output of one attempt with the pipes that it comes from.
pub(super) struct Pipes {
    open: [Option<PipeReader>; 2],
    output: Output,
}

impl Pipes {
    /// Returns the pipes of a process, and its own ends of them.
    pub(super) fn new(output: Output) -> std::io::Result<(Self, [PipeWriter; 2])> {
        let ((stdout, out), (stderr, err)) = (pipe()?, pipe()?);
        for pipe in [&stdout, &stderr] {
            fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        Ok((Self { open: [Some(stdout), Some(stderr)], output }, [out, err]))
    }

    /// Returns the pipes that may have more, each with its number.
    pub(super) fn open(&self) -> impl Iterator<Item = (usize, BorrowedFd<'_>)> {
        let pipes = self.open.iter().enumerate();
        pipes.filter_map(|(number, pipe)| Some((number, pipe.as_ref()?.as_fd())))
    }

    /// Reads once from the pipe with this number; returns whether there may be more at once.
    pub(super) fn read(&mut self, number: usize, buffer: &mut Vec<u8>) -> bool {
        buffer.resize(CHUNK, 0);
        let Some(pipe) = &mut self.open[number] else { return false };
        match pipe.read(buffer) {
            Ok(0) => self.open[number] = None,
            Ok(count) => self.output.take(STREAMS[number], &buffer[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(_) => self.open[number] = None,
        }
        self.open[number].is_some()
    }

    /// Adds a line of Partita's own.
    pub(super) fn note(&self, text: &str) {
        self.output.note(text);
    }

    /// Reads what is left, now that the process has ended. Processes that it left behind may keep
    /// the pipes open; what they print is not waited for, also if they print without end.
    pub(super) fn finish(mut self, buffer: &mut Vec<u8>) {
        for number in 0..STREAMS.len() {
            for _ in 0..self.reads(number) {
                if !self.read(number, buffer) {
                    break;
                }
            }
        }
        self.output.finish();
    }

    /// Returns how many reads take all that this pipe can hold at a time.
    fn reads(&self, number: usize) -> usize {
        let held =
            self.open[number].as_ref().and_then(|pipe| fcntl(pipe, FcntlArg::F_GETPIPE_SZ).ok());
        held.and_then(|held| usize::try_from(held).ok()).unwrap_or(CHUNK).div_ceil(CHUNK)
    }
}
