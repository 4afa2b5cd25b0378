//! The watcher of a program's run: it waits for the end of the engine, and ends what that leaves.
//!
//! Where Python drives, the zygote does so. A program needs no Python: it starts itself once more.

use std::fs;
use std::io;
use std::os::unix::process::{CommandExt, parent_id};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use partita_core::launcher::PROGRAM_WATCHER;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::lock::{self, ProcessLock};

/// A running watcher; its engine ends it when it has ended all else.
pub(super) struct Watcher(Child);

impl Watcher {
    /// Has a program watch over the process that calls this.
    pub(super) fn start(program: &Path, lock: &ProcessLock) -> io::Result<Self> {
        // Its group is its own, so that nothing that is typed at the terminal reaches it.
        let mut command = Command::new(program);
        command.args([PROGRAM_WATCHER, &std::process::id().to_string()]);
        command.stdin(Stdio::from(lock.file().try_clone()?));
        command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        command.spawn().map(Self)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for the end of the engine with this process id, which has started this process, and ends the
/// other processes of the run whose lock is the standard input of this one.
///
/// # Errors
/// What the system said, or that some of them do not end.
pub fn watch(engine: u32) -> io::Result<()> {
    let lock = fs::read_link("/proc/self/fd/0")?;
    let process = i32::try_from(engine).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
    let end = pidfd_open(process, PidfdFlags::empty());
    // If it has ended before, the number may be another process's by now.
    if let (Ok(end), true) = (end, parent_id() == engine) {
        let mut end = [PollFd::new(&end, PollFlags::IN)];
        while poll(&mut end, None) == Err(Errno::INTR) {}
    }
    lock::end_all(&lock)
}
