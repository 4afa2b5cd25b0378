//! Named limits that all runs of a home share, kept with file locks.
//!
//! A limit is a folder, and each place under it a file that its holder has locked. The system drops
//! the lock when the holder dies, so that no place leaks. Who finds no place waits for a holder to
//! close its file, which the system tells however that happens. Looking for a place opens files for
//! reading alone, so that those who wait do not wake one another.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::thread;
use std::time::Duration;

use nix::libc::O_NOFOLLOW;
use partita_core::deployment::Deployment;
use partita_core::name::slug;
use partita_core::run::Failure;

use crate::drive::{Limits, LimitsHandle, Places, Reached, Taken};
use crate::store::{FolderWatch, Watch};

/// How long a step waits at most before it looks for a place again, whether it was told of one or
/// not: a child that a dead holder forked may have its file open.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The limits of one run.
pub struct HomeLimits {
    /// The folder of all limits of the home.
    folder: PathBuf,
    deployment: Arc<Deployment>,
    /// The run's name, which its places tell to those that wait.
    name: String,
    run: Mutex<Option<LimitsHandle>>,
    watching: Once,
    is_over: Arc<AtomicBool>,
}

impl HomeLimits {
    /// Returns the limits of the run with this name; `folder` is that of all limits of its home.
    pub fn new(folder: PathBuf, deployment: Arc<Deployment>, name: &str) -> Self {
        let (run, watching, name) = (Mutex::new(None), Once::new(), name.to_owned());
        Self { folder, deployment, name, run, watching, is_over: Arc::default() }
    }

    /// Has a thread tell the run when a place may be free. What becomes free from now on is told.
    fn watch(&self) {
        self.watching.call_once(|| {
            let run = self.run.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let mut watch = FolderWatch::new(self.folder.clone());
            // The first wait ends as soon as the folders are watched.
            watch.wait(LOOK_AGAIN);
            let is_over = Arc::clone(&self.is_over);
            let tell = move || {
                while !is_over.load(Ordering::Relaxed) {
                    watch.wait(LOOK_AGAIN);
                    if let Some(run) = &run {
                        run.freed();
                    }
                }
            };
            // Without a thread, steps that wait go on when one of this run ends.
            let _ = thread::Builder::new().name("partita-limits".to_owned()).spawn(tell);
        });
    }
}

impl Drop for HomeLimits {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

impl Limits for HomeLimits {
    fn take(&self, step: usize) -> Result<Taken, Failure> {
        let limits = &self.deployment.steps[step].config.limits;
        if limits.is_empty() {
            return Ok(Taken::Places(Places::default()));
        }
        let failed = |error| {
            let folder = self.folder.display();
            Failure::ours(format!("the limits in `{folder}` cannot be used: {error}"))
        };
        if let Taken::Places(places) = take_all(&self.folder, limits, &self.name).map_err(failed)? {
            return Ok(Taken::Places(places));
        }
        self.watch();
        take_all(&self.folder, limits, &self.name).map_err(failed)
    }

    fn listen(&self, run: LimitsHandle) {
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) = Some(run);
    }
}

/// Takes a place under each limit for the run with this name, or none at all.
fn take_all(folder: &Path, limits: &BTreeMap<String, u32>, run: &str) -> io::Result<Taken> {
    let mut locked = Vec::with_capacity(limits.len());
    for (name, &most) in limits {
        let folder = folder.join(slug(name));
        fs::create_dir_all(&folder)?;
        match lock_one(&folder, most)? {
            Some(place) => locked.push(place),
            None => {
                let (limit, holders) = (name.clone(), holders(&folder, most));
                return Ok(Taken::Reached(Reached { limit, holders }));
            }
        }
    }
    let held = locked.into_iter().map(|(lock, path)| Place::hold(lock, &path, run));
    let boxed = held.map(|place| place.map(|place| Box::new(place) as Box<dyn Send>));
    boxed.collect::<io::Result<_>>().map(|places| Taken::Places(Places::of(places)))
}

/// Returns the names of the runs that hold the places in a limit's folder, as far as they tell.
fn holders(folder: &Path, most: u32) -> Vec<String> {
    let read = |number: u32| fs::read_to_string(folder.join(number.to_string())).ok();
    let mut holders: Vec<String> =
        (0..most).filter_map(read).filter(|name| !name.is_empty()).collect();
    holders.sort_unstable();
    holders.dedup();
    holders
}

/// Locks the first free place under a limit.
fn lock_one(folder: &Path, most: u32) -> io::Result<Option<(File, PathBuf)>> {
    for number in 0..most {
        let path = folder.join(number.to_string());
        let file = open(&path)?;
        match file.try_lock() {
            Ok(()) => return Ok(Some((file, path))),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(None)
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(O_NOFOLLOW);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            options.write(true).create(true).truncate(false).mode(0o600).open(path)
        }
        opened => opened,
    }
}

/// A place under a limit.
struct Place {
    lock: File,
    /// Open for writing, so that closing it is told to those who wait.
    _held: File,
}

impl Place {
    fn hold(lock: File, path: &Path, run: &str) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let mut held = options.write(true).truncate(true).custom_flags(O_NOFOLLOW).open(path)?;
        // It is there for people; a full disk keeps nobody from the place.
        let _ = held.write_all(run.as_bytes());
        Ok(Self { lock, _held: held })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A child that was forked meanwhile may have the file open too.
        let _ = self.lock.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(folder: &Path, limits: &[(&str, u32)]) -> Option<Places> {
        let limits = limits.iter().map(|(name, most)| ((*name).to_owned(), *most)).collect();
        match take_all(folder, &limits, "mine").expect("the folder can be written to") {
            Taken::Places(places) => Some(places),
            Taken::Reached(reached) => {
                assert_eq!(reached.holders, ["mine"]);
                None
            }
        }
    }

    #[test]
    fn no_more_places_are_taken_than_there_are_and_each_is_given_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = take(folder.path(), &[("licence", 2)]);
        let second = take(folder.path(), &[("licence", 2)]);
        assert!(first.is_some() && second.is_some());
        assert!(take(folder.path(), &[("licence", 2)]).is_none());
        assert!(take(folder.path(), &[("other", 1)]).is_some());
        drop(first);
        assert!(take(folder.path(), &[("licence", 2)]).is_some());
    }

    #[test]
    fn a_step_under_several_limits_takes_all_or_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let held = take(folder.path(), &[("b", 1)]);
        assert!(take(folder.path(), &[("a", 1), ("b", 1)]).is_none());
        assert!(take(folder.path(), &[("a", 1)]).is_some());
        drop(held);
        assert!(take(folder.path(), &[("a", 1), ("b", 1)]).is_some());
    }

    #[test]
    fn a_name_that_is_a_path_stays_in_the_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let limits = folder.path().join("limits");
        assert!(take(&limits, &[("../../out", 1)]).is_some());
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
    }
}
