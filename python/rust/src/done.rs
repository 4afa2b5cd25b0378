//! How a step says that its process has nothing left to do but to end.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::close;
use pyo3::prelude::*;

use crate::errors::partita_error;

/// Pages, 64 MB of the usual ones, that a process may have taken and be told of as done.
const MOST_PAGES: u64 = 1 << 14;

/// A file by its device and its number there.
type MappedFile = (String, String);

/// The last of the standard descriptors.
const STDERR: RawFd = 2;

/// Where a process says that it has nothing left to do but to end.
#[pyclass(frozen, module = "partita._native", name = "Done")]
pub(crate) struct PyDone {
    pipe: File,
    /// The device and the number of the pipe, by which it is known.
    identity: (u64, u64),
    /// How many pages of memory there were before the step had any.
    pages: u64,
    /// The files that were mapped before the step mapped any.
    mapped: BTreeSet<MappedFile>,
}

#[pymethods]
impl PyDone {
    /// Opens a pipe; programs that steps start do not have it.
    #[new]
    fn new(py: Python<'_>, pipe: PathBuf) -> PyResult<Self> {
        Self::open(&pipe).map_err(|error| partita_error(py, error))
    }

    /// Says the token of an attempt that is done, if this process holds nothing that others may
    /// wait for.
    ///
    /// It closes its files first. It says nothing where programs or threads are left that the step
    /// has started, where it has much memory or a lock, or where the step has put something else in
    /// this place: whoever waits for its end sees that, too.
    fn tell(&self, token: &str) {
        let _ = self.say(token);
    }
}

impl PyDone {
    fn open(pipe: &Path) -> io::Result<Self> {
        let pipe = OpenOptions::new()
            .write(true)
            .custom_flags(OFlag::O_NONBLOCK.bits()) // A step never waits for who listens.
            .open(pipe)?;
        let identity = identity(&pipe)?;
        Ok(Self { pipe, identity, pages: State::read()?.pages, mapped: mapped()? })
    }

    fn say(&self, token: &str) -> io::Result<()> {
        let state = State::read()?;
        // A thread that waits in the system keeps what it waits for open.
        if has_children() || state.threads > 1 || state.pages > self.pages + MOST_PAGES {
            return Ok(());
        }
        self.close_others()?;
        let may_have_locks = !mapped()?.is_subset(&self.mapped);
        if !(may_have_locks && has_locks()?) && identity(&self.pipe)? == self.identity {
            (&self.pipe).write_all(token.as_bytes())?;
        }
        Ok(())
    }

    /// Closes every descriptor but this one and the standard ones.
    fn close_others(&self) -> io::Result<()> {
        let open = fs::read_dir("/proc/self/fd")?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|descriptor| *descriptor > STDERR && *descriptor != self.pipe.as_raw_fd());
        for descriptor in open.collect::<Vec<RawFd>>() {
            let _ = close(descriptor); // The one that listed them is closed by now.
        }
        Ok(())
    }
}

fn identity(pipe: &File) -> io::Result<(u64, u64)> {
    let found = pipe.metadata()?;
    Ok((found.dev(), found.ino()))
}

/// What the system says of this process (proc(5), `stat`).
struct State {
    threads: u64,
    /// Pages of memory, shared ones too.
    pages: u64,
}

impl State {
    fn read() -> io::Result<Self> {
        let text = system_says("/proc/self/stat", 1 << 10)?;
        // The program's name ends with the last parenthesis; the third field follows it.
        let mut fields = text.rsplit(") ").next().unwrap_or_default().split(' ');
        let mut number = |skipped| fields.nth(skipped).and_then(|field| field.parse().ok());
        let (threads, pages) = (number(17), number(3));
        Ok(Self { threads: threads.unwrap_or(u64::MAX), pages: pages.unwrap_or(u64::MAX) })
    }
}

/// Returns how many threads this process has.
#[pyfunction]
pub(crate) fn count_threads() -> PyResult<u64> {
    Ok(State::read()?.threads)
}

/// Returns a file of the system's, whose length it does not tell beforehand, in few reads.
fn system_says(path: &str, expected: usize) -> io::Result<String> {
    let mut text = String::with_capacity(expected);
    File::open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

/// Returns the files that this process maps, but for programs and libraries (proc(5), `maps`).
fn mapped() -> io::Result<BTreeSet<MappedFile>> {
    let maps = system_says("/proc/self/maps", 1 << 15)?;
    let (mut files, mut programs) = (BTreeSet::new(), BTreeSet::new());
    for line in maps.lines() {
        let mut fields = line.split(' ').skip(1);
        let (mode, mut place) = (fields.next().unwrap_or_default(), fields.skip(1));
        let file = (place.next().unwrap_or_default(), place.next().unwrap_or_default());
        if file.1 != "0" {
            if mode.contains('x') {
                programs.insert(file)
            } else {
                files.insert(file)
            };
        }
    }
    let files = files.difference(&programs);
    Ok(files.map(|(device, number)| (device.to_string(), number.to_string())).collect())
}

/// Returns whether any lock is left that closing the files has not given back, since a mapping
/// keeps one of them open (proc(5), `locks`). The system lists its locks once all processors have
/// passed a quiet moment, which takes up to 10 ms.
fn has_locks() -> io::Result<bool> {
    let own = std::process::id().to_string();
    let locks = fs::read_to_string("/proc/locks")?;
    Ok(locks.lines().any(|lock| lock.split_ascii_whitespace().nth(4) == Some(&own)))
}

fn has_children() -> bool {
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    let look = look | WaitPidFlag::__WALL; // Those as well that end without a signal.
    waitid(Id::All, look) != Err(Errno::ECHILD)
}
