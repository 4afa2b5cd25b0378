//! Whose the files of a local store are: its owner's, also where root writes them.
//!
//! A step in a container may be run by root, and `sudo` runs whole pipelines. Folders that stayed root's
//! would be in the owner's way for good: nobody else may put anything into them, or clear them.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, fchown, lchown};
use std::path::Path;

/// How the kernel shows users of other name spaces, who can be given nothing.
const NOBODY: u32 = 65_534;

/// To whom root gives what it writes; for anybody else there is nothing to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner(Option<(u32, u32)>);

impl Owner {
    /// Returns the owner of the store in `root`; of one that is not there yet, that of the folder that
    /// it comes to be in.
    pub(super) fn of(root: &Path) -> Self {
        if !nix::unistd::geteuid().is_root() {
            return Self(None);
        }
        let nearest = root.ancestors().find_map(|folder| fs::metadata(folder).ok());
        let owner = nearest.map(|found| (found.uid(), found.gid()));
        Self(owner.filter(|(user, _)| ![0, NOBODY].contains(user)))
    }

    /// Gives an open file away.
    pub(super) fn own_file(self, file: &File) -> io::Result<()> {
        let Self(Some((user, group))) = self else { return Ok(()) };
        match file.metadata()?.uid() {
            0 => unless_refused(fchown(file, Some(user), Some(group))),
            _ => Ok(()),
        }
    }

    /// Gives a folder away with all that is in it.
    pub(super) fn own_all(self, folder: &Path) -> io::Result<()> {
        if self.0.is_none() {
            return Ok(());
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => self.own_all(&entry.path())?,
                false => self.own(&entry.path())?,
            }
        }
        self.own(folder)
    }

    /// Makes a folder, with those that lead to it.
    pub(super) fn make_folder(self, folder: &Path) -> io::Result<()> {
        self.made(folder, || fs::create_dir_all(folder))?
    }

    /// Gives away what `make` makes at `path`, with the folders that lead to it.
    pub(super) fn made<T>(self, path: &Path, make: impl FnOnce() -> T) -> io::Result<T> {
        if self.0.is_none() {
            return Ok(make());
        }
        let above = path.ancestors().skip(1).take_while(|folder| !folder.exists());
        let missing: Vec<&Path> = above.collect();
        let made = make();
        // From the outside in, so that the owner's own programs are kept out as shortly as can be.
        missing.into_iter().rev().chain([path]).try_for_each(|path| self.own(path))?;
        Ok(made)
    }

    /// Gives away what is at `path` if it is root's; what a link leads to is somebody else's.
    fn own(self, path: &Path) -> io::Result<()> {
        let Self(Some((user, group))) = self else { return Ok(()) };
        match fs::symlink_metadata(path) {
            Ok(found) if found.uid() == 0 => unless_refused(lchown(path, Some(user), Some(group))),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// A root that may give nothing away, or on a disk without owners, keeps what it writes: that is no
/// reason to fail a step.
fn unless_refused(given: io::Result<()>) -> io::Result<()> {
    use ErrorKind::{InvalidInput, NotFound, PermissionDenied, Unsupported};
    let refusals = [NotFound, PermissionDenied, InvalidInput, Unsupported];
    given.or_else(|error| if refusals.contains(&error.kind()) { Ok(()) } else { Err(error) })
}
