//! Keeps collection away from what is being put together.
//!
//! A run that begins, and a pipeline that is traced, refer to things that nothing in the store
//! names yet. Whoever does so has a shared lock on one file; collection takes it exclusively.
//! It is `flock`, which threads of one process exclude each other by as well. The system drops it
//! when its holder dies, and a hold that ends is unlocked, so that a child which was forked
//! meanwhile does not keep it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Error;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc::O_NOFOLLOW;

use super::owner::Owner;

/// A claim on what a store holds, given back when dropped.
#[derive(Debug)]
pub struct Hold {
    file: File,
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Closing the file does the same, unless a forked child has it open too.
        let _ = self.file.unlock();
    }
}

/// Waits until nothing is collected, and keeps collection away.
pub(super) fn shared(path: &Path, owner: Owner) -> std::io::Result<Hold> {
    let file = open(path, owner)?;
    file.lock_shared()?;
    Ok(Hold { file })
}

/// Keeps everybody else away, or returns `None` if anybody is there.
pub(super) fn exclusive(path: &Path, owner: Owner) -> std::io::Result<Option<Hold>> {
    let file = open(path, owner)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Hold { file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Opens the file itself: never what a link leads to, nor a pipe.
fn open(path: &Path, owner: Owner) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).custom_flags(O_NOFOLLOW);
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(Error::other("it is no regular file; delete it"));
    }
    owner.own_file(&file)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_is_neither_on_a_link_nor_on_a_pipe() {
        let folder = tempfile::tempdir().expect("a folder");
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        std::os::unix::fs::symlink(&target, &link).expect("linked");
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("made");
        let owner = Owner::of(folder.path());
        for path in [&link, &pipe] {
            shared(path, owner).expect_err("held");
            exclusive(path, owner).expect_err("held");
        }
        assert!(!target.exists());
    }
}
