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
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use partita_core::run::{Lease, VERSION};

use super::owner::Owner;
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

/// How often it is looked whether an engine that was killed has ended, and how long between.
const LOOKS: u32 = 2000;
const PAUSE: Duration = Duration::from_millis(5);

/// Takes the lease kept at `path`, whose folder exists. The system takes its time to end a process
/// that was killed, seconds if the disk lets it wait; for one that has the lease, this waits ten.
pub(super) fn take(path: &Path, owner: Owner) -> std::io::Result<Taken> {
    for _ in 0..LOOKS {
        match take_now(path, owner)? {
            Taken::Theirs(Some(lease)) if is_ending(&lease) => std::thread::sleep(PAUSE),
            taken => return Ok(taken),
        }
    }
    take_now(path, owner)
}

fn take_now(path: &Path, owner: Owner) -> std::io::Result<Taken> {
    let mut held = held();
    if held.contains(path) {
        return Ok(Taken::Theirs(Some(lease())));
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).custom_flags(libc::O_NOFOLLOW);
    let mut file = options.open(path)?;
    owner.own_file(&file)?;
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
    lease.host != host() || status(lease).is_some_and(|text| !has_ended(&text))
}

/// Returns whether the process that a lease names is about to be gone, or is.
fn is_ending(lease: &Lease) -> bool {
    lease.host == host() && status(lease).is_none_or(|text| has_ended(&text) || is_killed(&text))
}

/// Returns what the system says of the process that a lease names, if there is one.
fn status(lease: &Lease) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{}/status", lease.pid)).ok()
}

/// Returns a line of what the system says of a process.
fn line<'a>(status: &'a str, key: &str) -> Option<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.map(str::trim)
}

fn has_ended(status: &str) -> bool {
    line(status, "State").is_none_or(|state| state.starts_with(['Z', 'X']))
}

/// Returns whether a process is to be killed and has not ended: nothing takes that back.
fn is_killed(status: &str) -> bool {
    let pending = ["SigPnd", "ShdPnd"].into_iter().filter_map(|key| line(status, key));
    let mut sets = pending.filter_map(|set| u64::from_str_radix(set, 16).ok());
    sets.any(|set| set & (1 << (libc::SIGKILL - 1)) != 0)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks what is found in the status of a process: whether it has ended, and whether it is
    /// about to.
    fn check(state: &str, pending: &str, shared: &str, expected: (bool, bool)) {
        let text =
            format!("Name:\tState:\nState:\t{state}\nSigPnd:\t{pending}\nShdPnd:\t{shared}\n");
        assert_eq!((has_ended(&text), is_killed(&text)), expected, "{text}");
    }

    #[test]
    fn a_process_that_was_killed_is_known_before_it_has_ended() {
        let none = "0000000000000000";
        check("S (sleeping)", none, none, (false, false));
        check("Z (zombie)", none, none, (true, false));
        check("R (running)", "0000000000000100", none, (false, true));
        check("D (disk sleep)", none, "0000000000000100", (false, true));
        check("R (running)", "0000000000004002", none, (false, false));
    }
}
