//! The zygote's end of its socket, and the processes whose ends it waits for.
//!
//! Python's `socket`, `select` and `signal` do the same. They map 20 regions more, and keep 0.7 MB of
//! objects, all of which each fork of the zygote copies and takes apart again.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Mutex, PoisonError};

use nix::sys::prctl::set_child_subreaper;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rustix::cmsg_space;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, recvmsg, send};
use rustix::process::{Pid, PidfdFlags, pidfd_open, setsid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

/// Longest packet, in bytes.
const MESSAGE_LIMIT: usize = 1 << 16;

/// Most descriptors that come with a packet.
const DESCRIPTORS: usize = 2;

/// No time at all.
const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// A packet, and the descriptors that came with it.
type Packet<'py> = (Bound<'py, PyBytes>, Vec<Descriptor>);

/// A descriptor that came with a packet, open until it is closed or forgotten.
#[pyclass(frozen, module = "partita._native")]
pub(crate) struct Descriptor(Mutex<Option<OwnedFd>>);

#[pymethods]
impl Descriptor {
    /// Returns its number.
    fn fileno(&self) -> PyResult<RawFd> {
        self.with(|descriptor| Ok(descriptor.as_raw_fd()))
    }

    /// Closes it.
    fn close(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Descriptor {
    fn with<T>(&self, work: impl FnOnce(&OwnedFd) -> rustix::io::Result<T>) -> PyResult<T> {
        let descriptor = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(work(descriptor.as_ref().ok_or_else(closed)?).map_err(io::Error::from)?)
    }
}

/// Makes this process, a fork, one of its own: whatever it starts is of its group, or becomes its child,
/// and its standard streams are these.
#[pyfunction]
pub(crate) fn separate(
    stdin: &Descriptor,
    stdout: &Descriptor,
    stderr: &Descriptor,
) -> PyResult<()> {
    setsid().map_err(io::Error::from)?;
    set_child_subreaper(true).map_err(io::Error::from)?;
    stdin.with(|stream| dup2_stdin(stream))?;
    stdout.with(|stream| dup2_stdout(stream))?;
    stderr.with(|stream| dup2_stderr(stream))?;
    for stream in [stdin, stdout, stderr] {
        stream.close();
    }
    Ok(())
}

/// A socket that keeps packets apart, and processes that are watched beside it.
#[pyclass(module = "partita._native", name = "PacketSocket")]
pub(crate) struct PacketSocket {
    socket: Option<OwnedFd>,
    /// Processes and the descriptors that tell of their ends.
    watched: Vec<(i32, OwnedFd)>,
    buffer: Vec<u8>,
}

#[pymethods]
impl PacketSocket {
    /// Takes the socket that is the standard input of this process.
    #[staticmethod]
    fn of_stdin() -> PyResult<Self> {
        let socket = io::stdin().as_fd().try_clone_to_owned()?;
        ioctl_fionbio(&socket, false).map_err(io::Error::from)?;
        Ok(Self { socket: Some(socket), watched: Vec::new(), buffer: vec![0; MESSAGE_LIMIT] })
    }

    /// Waits for the end of a process as well.
    fn watch(&mut self, process: i32) -> PyResult<()> {
        self.watched.push((process, opened(process)?));
        Ok(())
    }

    /// Waits until there is a packet, nobody is left to send one, or a process has ended; returns
    /// whether it is one of the former two, and the processes, which are not watched any more.
    fn wait(&mut self, py: Python<'_>) -> PyResult<(bool, Vec<i32>)> {
        let socket = self.socket()?.as_fd();
        let watched = self.watched.iter().map(|(_, end)| end.as_fd());
        let events = events(py, std::iter::once(socket).chain(watched), None)?;
        let mut events = events.into_iter().map(|events| !events.is_empty());
        let has_packet = events.next().unwrap_or_default();
        let mut ended = Vec::new();
        self.watched.retain(|(process, _)| {
            let has_ended = events.next().unwrap_or_default();
            if has_ended {
                ended.push(*process);
            }
            !has_ended
        });
        Ok((has_packet, ended))
    }

    /// Returns whether nobody is left to send anything.
    fn is_deserted(&self, py: Python<'_>) -> PyResult<bool> {
        let events = events(py, std::iter::once(self.socket()?.as_fd()), Some(&AT_ONCE))?;
        Ok(events.iter().any(|events| events.contains(PollFlags::HUP)))
    }

    /// Returns the next packet and the descriptors that came with it; `None` if nobody sends any
    /// more.
    fn receive<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Packet<'py>>> {
        let Self { socket, buffer, .. } = self;
        let socket = socket.as_ref().ok_or_else(closed)?;
        let (length, descriptors) = retried(py, || receive(socket, buffer))?;
        let descriptors =
            descriptors.into_iter().map(|descriptor| Descriptor(Mutex::new(Some(descriptor))));
        Ok((length > 0).then(|| (PyBytes::new(py, &self.buffer[..length]), descriptors.collect())))
    }

    /// Sends a packet; if nobody is there any more, that is seen by whoever waits next.
    fn send(&self, py: Python<'_>, packet: &[u8]) -> PyResult<()> {
        let socket = self.socket()?;
        retried(py, || match send(socket, packet, SendFlags::NOSIGNAL) {
            Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => Ok(()),
            Err(error) => Err(error),
        })
    }

    /// Closes it, as a fork does to whom it does not belong.
    fn close(&mut self) {
        self.watched.clear();
        self.socket = None;
    }
}

impl PacketSocket {
    fn socket(&self) -> PyResult<&OwnedFd> {
        self.socket.as_ref().ok_or_else(closed)
    }
}

/// Waits for the end of a process, which need not be a child of this one.
#[pyfunction]
pub(crate) fn wait_for_end(py: Python<'_>, process: i32) -> PyResult<()> {
    let end = match opened(process) {
        Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => return Ok(()),
        end => end?,
    };
    events(py, std::iter::once(end.as_fd()), None)?;
    Ok(())
}

fn closed() -> PyErr {
    PyValueError::new_err("it is closed")
}

/// Returns a descriptor that can be read from once a process has ended.
fn opened(process: i32) -> io::Result<OwnedFd> {
    let process = Pid::from_raw(process).ok_or(Errno::SRCH)?;
    Ok(pidfd_open(process, PidfdFlags::empty())?)
}

/// Waits until something can be read from a descriptor, or it has ended; returns what each says.
fn events<'fd>(
    py: Python<'_>,
    descriptors: impl Iterator<Item = BorrowedFd<'fd>>,
    timeout: Option<&Timespec>,
) -> PyResult<Vec<PollFlags>> {
    let mut polled: Vec<PollFd<'_>> =
        descriptors.map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN)).collect();
    retried(py, || poll(&mut polled, timeout))?;
    Ok(polled.iter().map(PollFd::revents).collect())
}

/// Does what may wait without holding up Python, again where a signal was in the way.
fn retried<T: Send>(
    py: Python<'_>,
    mut work: impl FnMut() -> rustix::io::Result<T> + Send,
) -> PyResult<T> {
    loop {
        match py.detach(&mut work) {
            Err(Errno::INTR) => py.check_signals()?,
            done => return Ok(done.map_err(io::Error::from)?),
        }
    }
}

fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> rustix::io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut came = RecvAncillaryBuffer::new(&mut space);
    let parts = &mut [IoSliceMut::new(buffer)];
    let got = match recvmsg(socket, parts, &mut came, RecvFlags::CMSG_CLOEXEC) {
        Err(Errno::CONNRESET) => return Ok((0, Vec::new())), // It died with something unread.
        got => got?,
    };
    let descriptors = came.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    Ok((got.bytes, descriptors.flatten().collect()))
}
