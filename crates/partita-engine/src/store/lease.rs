//! The lease of a run: who drives it.
//!
//! Locally it is an operating-system record lock on `lease.json`, which dies with its holder
//! however that ends. A record lock belongs to a process, so children that a step forks and
//! leaves behind do not keep it; but closing any descriptor of the file drops it, so this process
//! remembers what it holds and never opens such a file again. A step may, which reads all files of
//! the home: so a second lock, of the open file, stands beside the first one, and counts for as long
//! as the process that the lease names is alive.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use partita_core::run::{Lease, VERSION};

use crate::clock;

static HELD: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);

fn held() -> MutexGuard<'static, HashSet<PathBuf>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who drives a run now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseState {
    /// Nobody.
    Free,
    /// A living engine; its lease, unless it is just being written.
    Held(Option<Lease>),
}

/// The lease of a run, given back when dropped.
#[derive(Debug)]
pub struct LeaseGuard {
    path: PathBuf,
    file: Option<File>,
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        let mut held = held();
        drop(self.file.take());
        held.remove(&self.path);
    }
}

/// What came of asking for a lease.
pub(super) enum Taken {
    Mine(LeaseGuard),
    Theirs(Option<Lease>),
}

/// Takes the lease kept at `path`, whose folder exists.
pub(super) fn take(path: &Path) -> std::io::Result<Taken> {
    let mut held = held();
    if held.contains(path) {
        return Ok(Taken::Theirs(Some(lease())));
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).custom_flags(libc::O_NOFOLLOW);
    let mut file = options.open(path)?;
    if !is_locked(FcntlArg::F_SETLK(&lock(OF_THE_PROCESS)), &file)? {
        let holder = holder(&file)?;
        return Ok(Taken::Theirs(read_of(&mut file, holder)));
    }
    if !is_locked(FcntlArg::F_OFD_SETLK(&lock(OF_THE_FILE)), &file)? {
        let lease = read(&mut file);
        if lease.as_ref().is_none_or(is_alive) {
            return Ok(Taken::Theirs(lease));
        }
    }
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&serde_json::to_vec(&lease())?)?;
    held.insert(path.to_owned());
    Ok(Taken::Mine(LeaseGuard { path: path.to_owned(), file: Some(file) }))
}

/// Returns who holds the lease kept at `path`.
pub(super) fn state(path: &Path) -> std::io::Result<LeaseState> {
    let held = held();
    if held.contains(path) {
        return Ok(LeaseState::Held(Some(lease())));
    }
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(LeaseState::Free),
        Err(error) => return Err(error),
    };
    if let Some(holder) = holder(&file)? {
        return Ok(LeaseState::Held(read_of(&mut file, Some(holder))));
    }
    let mut second = lock(OF_THE_FILE);
    fcntl(file.as_fd(), FcntlArg::F_OFD_GETLK(&mut second))?;
    if i32::from(second.l_type) == libc::F_UNLCK {
        return Ok(LeaseState::Free);
    }
    let lease = read(&mut file);
    Ok(if lease.as_ref().is_none_or(is_alive) { LeaseState::Held(lease) } else { LeaseState::Free })
}

/// Returns the process that has the process's lock, if one has; 0 or less on another machine.
fn holder(file: &File) -> std::io::Result<Option<i32>> {
    let mut found = lock(OF_THE_PROCESS);
    fcntl(file.as_fd(), FcntlArg::F_GETLK(&mut found))?;
    Ok((i32::from(found.l_type) != libc::F_UNLCK).then_some(found.l_pid))
}

/// Returns the lease of a holder that the system names: until it is written, what is known of it.
fn read_of(file: &mut File, holder: Option<i32>) -> Option<Lease> {
    let written = read(file);
    let pid = holder.and_then(|pid| u32::try_from(pid).ok()).filter(|&pid| pid > 0);
    match pid {
        Some(pid) if written.as_ref().is_none_or(|lease| lease.pid != pid) => {
            Some(Lease { pid, ..lease() })
        }
        _ => written,
    }
}

/// Returns whether a lock was taken, which nobody waits for.
fn is_locked(lock: FcntlArg<'_>, file: &File) -> std::io::Result<bool> {
    match fcntl(file.as_fd(), lock) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Returns whether the process that a lease names may be alive; of another machine's, nobody knows.
fn is_alive(lease: &Lease) -> bool {
    if lease.host != host() {
        return true;
    }
    let state = std::fs::read_to_string(format!("/proc/{}/stat", lease.pid));
    // The state follows the name, which is in parentheses and may hold some itself.
    state.is_ok_and(|text| {
        text.rsplit(") ").next().is_some_and(|rest| !rest.starts_with(['Z', 'X']))
    })
}

fn lease() -> Lease {
    Lease { version: VERSION, pid: std::process::id(), host: host(), since: clock::now() }
}

fn host() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_else(|| "this machine".to_owned())
}

fn read(file: &mut File) -> Option<Lease> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// The bytes of the file that the two locks are on, so that they do not exclude one another.
const OF_THE_PROCESS: libc::off_t = 0;
const OF_THE_FILE: libc::off_t = 1;

fn lock(byte: libc::off_t) -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: byte,
        l_len: 1,
        l_pid: 0,
    }
}
