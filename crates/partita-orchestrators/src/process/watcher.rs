//! The watcher of a program's run: it waits for the end of the engine, and ends what that leaves.
//!
//! Where Python drives, the zygote does so. A program needs no Python: it starts itself once more.

use std::fs;
use std::io;
use std::os::unix::process::{CommandExt, parent_id};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use partita_core::launcher::PROGRAM_WATCHER;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::lock::{self, ProcessLock};

/// How often it is looked whether the engine has ended, where the system does not tell.
const LOOK: Duration = Duration::from_millis(100);

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

    /// Returns whether it has ended, as it should not have.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.0.try_wait(), Ok(None))
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
    let process = i32::try_from(engine).ok().and_then(Pid::from_raw);
    let end = process.and_then(|process| pidfd_open(process, PidfdFlags::empty()).ok());
    // Once it has ended, another process is the parent, and its number may be another's.
    while parent_id() == engine {
        let told = end.as_ref().map(|end| poll(&mut [PollFd::new(end, PollFlags::IN)], None));
        if !matches!(told, Some(Ok(_))) {
            thread::sleep(LOOK);
        }
    }
    lock::end_all(&lock)
}
