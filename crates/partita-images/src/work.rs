//! The folder of one process's builds, and turns between processes that build the same image.
//!
//! Both are claims on files that the system gives up when whoever has them dies: what a killed process
//! has left is told from what is being made, and removed by the next one.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::libc::O_NOFOLLOW;

/// What the folders are called, before an id.
const FOLDER: &str = "work-";

/// A folder for what builds write, which goes with it.
pub(crate) struct Work {
    /// What nothing else is called that is made at this time.
    pub(crate) id: String,
    path: PathBuf,
    /// Kept as long as this lives.
    _claim: File,
}

impl Work {
    /// Begins to build; returns also the ids of those that died while they built, whose folders are
    /// removed.
    pub(crate) fn begin(cache: &Path, id: String) -> io::Result<(Self, Vec<String>)> {
        // Nobody else looks while a folder is there that nobody has claimed yet.
        let turn = open(&cache.join("lock"))?;
        turn.lock()?;
        let mut dead = Vec::new();
        for entry in fs::read_dir(cache)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let Some(id) = name.strip_prefix(FOLDER) else { continue };
            let claim = open(&entry.path().join("lock"));
            if claim.is_ok_and(|claim| claim.try_lock().is_ok()) {
                fs::remove_dir_all(entry.path())?;
                dead.push(id.to_owned());
            }
        }
        let path = cache.join(format!("{FOLDER}{id}"));
        fs::create_dir(&path)?;
        let claim = open(&path.join("lock"))?;
        claim.lock()?;
        Ok((Self { id, path, _claim: claim }, dead))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Waits until nobody else has a file; `wait` is called before, if anybody has it. Whoever holds what
/// this returns has it.
pub(crate) async fn turn(path: &Path, wait: impl FnOnce()) -> io::Result<File> {
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => wait(),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let waited = tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await;
    waited.map_err(io::Error::other)?
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).append(true).create(true).custom_flags(O_NOFOLLOW);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn what_a_dead_process_has_left_is_removed_and_what_is_made_stays() {
        let cache = tempfile::tempdir().unwrap();
        let begin = |id: &str| Work::begin(cache.path(), id.to_owned()).unwrap();
        let (first, _) = begin("first");
        // As if its process had been killed.
        fs::create_dir(cache.path().join("work-dead")).unwrap();
        fs::write(cache.path().join("work-dead/lock"), "").unwrap();
        let (second, dead) = begin("second");
        assert_eq!(dead, ["dead"]);
        assert!(first.path().exists() && second.path().exists());
        let path = first.path().to_owned();
        drop(first);
        assert!(!path.exists() && !cache.path().join("work-dead").exists());
    }

    #[tokio::test]
    async fn who_comes_second_waits_for_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("build.log");
        let first = turn(&path, || panic!("nobody has it")).await.unwrap();
        let waits = Cell::new(false);
        let mut second = std::pin::pin!(turn(&path, || waits.set(true)));
        let asked = futures_util::poll!(&mut second);
        assert!(asked.is_pending());
        drop(first);
        second.await.unwrap();
        assert!(waits.get());
    }
}
