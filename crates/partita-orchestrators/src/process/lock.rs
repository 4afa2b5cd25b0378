//! Keeps the processes of one run's engines apart.
//!
//! The lock belongs to an open file, which is the standard input of every process of the run (it is
//! empty, so that they read nothing). So it is held until the last of them has ended, whoever
//! started it and whatever became of that; only then may another engine start steps of the run.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long the processes of an engine that died may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether they have.
const LOOK: Duration = Duration::from_millis(5);

/// A locked file, removed when it is dropped; by then the run's processes have ended.
#[derive(Debug)]
pub(super) struct ProcessLock {
    file: File,
    path: PathBuf,
}

impl ProcessLock {
    /// Takes the lock of a run, once all processes that an earlier engine left have ended; those
    /// that the system has not ended with it are killed.
    pub(super) fn take(folder: &Path, run_id: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        remove_unheld(folder);
        let path = folder.join(run_id);
        let begun = Instant::now();
        loop {
            let file =
                OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(&path)?;
            match file.try_lock() {
                // Who held it may have removed it before this one was locked.
                Ok(()) if is_at(&file, &path) => return Ok(Self { file, path }),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) if begun.elapsed() > PATIENCE => {
                    return Err(still_held(&path));
                }
                Err(TryLockError::WouldBlock) => {
                    end(&holders(&path)?);
                    std::thread::sleep(LOOK);
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// Returns the file, to be the standard input of a process.
    pub(super) fn file(&self) -> &File {
        &self.file
    }
}

impl Drop for ProcessLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes the locks that engines left when they were killed: nobody may take up their runs again.
fn remove_unheld(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    for path in entries.map(|entry| entry.path()) {
        let Ok(file) = File::open(&path) else { continue };
        if file.try_lock().is_ok() && is_at(&file, &path) {
            let _ = fs::remove_file(&path);
        }
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let (file, there) = (file.metadata().map(id), fs::metadata(path).map(id));
    file.is_ok_and(|file| there.is_ok_and(|there| file == there))
}

fn still_held(path: &Path) -> io::Error {
    let holders = holders(path).unwrap_or_default();
    let processes: Vec<String> = holders.iter().map(Pid::to_string).collect();
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!(
            "processes of this run from before ({}) do not end; end them by hand and resume the run",
            processes.join(", ")
        ),
    )
}

/// Returns the other processes whose standard input is the file: those of the run.
fn holders(path: &Path) -> io::Result<Vec<Pid>> {
    let (path, own) = (fs::canonicalize(path)?, Pid::this());
    let processes = fs::read_dir("/proc")?.filter_map(Result::ok).filter_map(|entry| {
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?);
        let input = fs::read_link(entry.path().join("fd/0")).ok()?;
        (input == path && pid != own).then_some(pid)
    });
    Ok(processes.collect())
}

fn end(processes: &[Pid]) {
    for &pid in processes {
        let _ = kill(pid, Signal::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn processes_that_a_dead_engine_left_are_ended_before_the_next_one_begins() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::create(folder.path().join("run")).unwrap();
        file.try_lock().unwrap();
        // The engine's own copy goes with it; the one of the process stays.
        let mut left = Command::new("sleep").arg("1000").stdin(Stdio::from(file)).spawn().unwrap();
        let lock = ProcessLock::take(folder.path(), "run").unwrap();
        assert_eq!(left.wait().unwrap().signal(), Some(9));
        drop(lock);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn locks_that_nobody_holds_are_removed_with_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("killed"), "").unwrap();
        let other = ProcessLock::take(folder.path(), "other").unwrap();
        let lock = ProcessLock::take(folder.path(), "run").unwrap();
        let is_there = |name| folder.path().join(name).exists();
        assert_eq!(["killed", "other", "run"].map(is_there), [false, true, true]);
        drop((lock, other));
    }
}
