//! Keeps the processes of one run's engines apart.
//!
//! The lock belongs to an open file, which is the standard input of every process of the run (it is
//! empty, so that they read nothing). So it is held until the last of them has ended, whoever
//! started it and whatever became of that; only then may another engine start steps of the run.
//! A program may have given its standard input away. So the lock is named in the environment of all
//! of them as well, where the next engine finds those that nobody was left to end.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The environment variable that names the lock of the run that a process belongs to.
pub(super) const MARK: &str = "PARTITA_PROCESS_LOCK";

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
        let folder = fs::canonicalize(folder)?;
        remove_unheld(&folder);
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
                    return Err(still_there(&found(&path, has_open)?));
                }
                Err(TryLockError::WouldBlock) => {
                    end(&found(&path, belongs)?);
                    std::thread::sleep(LOOK);
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// Ends what is left of an earlier engine of the run and does not hold the lock.
    pub(super) fn end_marked(&self) -> io::Result<()> {
        end_found(&self.path, is_marked)
    }

    /// Returns the file, to be the standard input of a process.
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Returns its path, to be named in the environment of a process.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for ProcessLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Ends the other processes of the run whose lock is at `path`.
pub(super) fn end_all(path: &Path) -> io::Result<()> {
    end_found(path, belongs)
}

fn end_found(path: &Path, is_one: fn(&Path, &Path) -> bool) -> io::Result<()> {
    let begun = Instant::now();
    loop {
        let left = found(path, is_one)?;
        if left.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            return Err(still_there(&left));
        }
        end(&left);
        std::thread::sleep(LOOK);
    }
}

/// Removes the locks that engines left when they were killed, and ends what is left of their runs:
/// nobody may take them up again.
fn remove_unheld(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    for path in entries.map(|entry| entry.path()) {
        let Ok(file) = File::open(&path) else { continue };
        if file.try_lock().is_ok() && is_at(&file, &path) {
            end(&found(&path, is_marked).unwrap_or_default());
            let _ = fs::remove_file(&path);
        }
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    let (file, there) = (file.metadata().map(id), fs::metadata(path).map(id));
    file.is_ok_and(|file| there.is_ok_and(|there| file == there))
}

fn still_there(left: &[Pid]) -> io::Error {
    let processes: Vec<String> = left.iter().map(Pid::to_string).collect();
    io::Error::new(
        io::ErrorKind::TimedOut,
        format!(
            "processes of this run from before ({}) do not end; end them by hand and resume the run",
            processes.join(", ")
        ),
    )
}

/// Returns the other processes that belong to the lock at `path`, in the way that `is_one` says of
/// their folders below `/proc`. Whoever is one of them itself finds none, nor those it runs in.
fn found(path: &Path, is_one: fn(&Path, &Path) -> bool) -> io::Result<Vec<Pid>> {
    if std::env::var_os(MARK).is_some_and(|own| path == Path::new(&own)) {
        return Ok(Vec::new());
    }
    let own = Pid::this();
    let processes = fs::read_dir("/proc")?.filter_map(Result::ok).filter_map(|entry| {
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?);
        (pid != own && is_one(&entry.path(), path)).then_some(pid)
    });
    Ok(processes.collect())
}

/// Returns whether a process is one of those that the lock is held for. A zygote has it elsewhere
/// than in its standard input.
fn belongs(process: &Path, lock: &Path) -> bool {
    holds(process, lock) || is_marked(process, lock)
}

/// Returns whether the standard input of a process is the lock.
fn holds(process: &Path, lock: &Path) -> bool {
    fs::read_link(process.join("fd/0")).is_ok_and(|input| input == lock)
}

/// Returns whether the lock is one of the files that a process has open.
fn has_open(process: &Path, lock: &Path) -> bool {
    let files = fs::read_dir(process.join("fd")).into_iter().flatten().filter_map(Result::ok);
    files.map(|file| file.path()).any(|file| fs::read_link(file).is_ok_and(|open| open == lock))
}

/// Returns whether a process was started with the lock's name in its environment.
fn is_marked(process: &Path, lock: &Path) -> bool {
    let mark = [MARK.as_bytes(), b"=", lock.as_os_str().as_bytes()].concat();
    let environment = fs::read(process.join("environ")).unwrap_or_default();
    environment.split(|&byte| byte == 0).any(|variable| variable == mark)
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
    fn a_program_that_gave_its_standard_input_away_is_ended_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let path = fs::canonicalize(folder.path()).unwrap().join("run");
        let start = || {
            let mut program = Command::new("sleep");
            program.arg("60").env(MARK, &path).stdin(Stdio::null()).spawn().unwrap()
        };
        let mut left = start();
        let lock = ProcessLock::take(folder.path(), "run").unwrap();
        // Its parent reaps it while it is waited for.
        let waits = std::thread::spawn(move || left.wait().unwrap().signal());
        lock.end_marked().unwrap();
        assert_eq!(waits.join().unwrap(), Some(9));
        drop(lock);
        // Nobody takes this run up, but another one begins.
        fs::write(&path, "").unwrap();
        let mut left = start();
        drop(ProcessLock::take(folder.path(), "other").unwrap());
        assert_eq!(left.wait().unwrap().signal(), Some(9));
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
