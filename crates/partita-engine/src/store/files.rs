//! What `object_store` cannot do on a local file system: files that never have a temporary name,
//! and whole folders that appear at once.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::owner::Owner;

/// Waits until a file or folder is on the disk.
type Flush = Arc<dyn Fn(&File) -> io::Result<()> + Send + Sync>;

/// Puts files and folders below one folder.
pub(super) struct Files {
    root: PathBuf,
    owner: Owner,
    /// What is done for what has to survive the loss of power.
    flush: Option<Flush>,
}

impl fmt::Debug for Files {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Files")
            .field("root", &self.root)
            .field("survives_power", &self.flush.is_some())
            .finish()
    }
}

impl Files {
    /// Returns what puts files below `root`. With `flush`, a file and the folders that lead to it
    /// are on the disk before anyone is told that it is there.
    pub(super) fn new(root: PathBuf, flush: Option<Flush>) -> Self {
        Self { owner: Owner::of(&root), root, flush }
    }

    /// Returns what flushes to the disk.
    pub(super) fn to_disk() -> Flush {
        Arc::new(File::sync_all)
    }

    /// Returns the folder that everything is below.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns to whom everything belongs.
    pub(super) fn owner(&self) -> Owner {
        self.owner
    }

    /// Makes the file `path`, in a folder that exists, unless there is something already.
    ///
    /// It is written without a name and then linked into its place: that is the quickest way, and
    /// whatever ends its writer leaves nothing behind. Not every system and file system can do it.
    #[cfg(target_os = "linux")]
    pub(super) fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        use std::io::Write;
        use std::os::fd::AsRawFd;
        use std::os::unix::fs::OpenOptionsExt;

        use nix::fcntl::{AT_FDCWD, AtFlags};
        use nix::libc::O_TMPFILE;

        let parent = path.parent().unwrap_or(&self.root);
        let mut file = File::options().write(true).custom_flags(O_TMPFILE).open(parent)?;
        file.write_all(bytes)?;
        self.owner.own_file(&file)?;
        self.flush(&file)?;
        let source = format!("/proc/self/fd/{}", file.as_raw_fd());
        let flags = AtFlags::AT_SYMLINK_FOLLOW;
        nix::unistd::linkat(AT_FDCWD, source.as_str(), AT_FDCWD, path, flags)?;
        self.flush_parent(path)
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn create(&self, _path: &Path, _bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Makes the file `from` appear at `to` as well, in a folder that exists, unless there is
    /// something already.
    pub(super) fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)?;
        self.flush_parent(to)
    }

    /// Moves a folder with all that is in it to `to`, where nothing is.
    pub(super) fn move_folder(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.owner.own_all(from)?;
        if self.flush.is_some() {
            self.flush_all(from)?;
        }
        self.make_parent(to)?;
        fs::rename(from, to)?;
        self.flush_parent(to)
    }

    /// Makes the folder that `path` lies in.
    pub(super) fn make_parent(&self, path: &Path) -> io::Result<()> {
        let parent = path.parent().unwrap_or(&self.root);
        self.owner.make_folder(parent)?;
        let Some(flush) = &self.flush else { return Ok(()) };
        // A folder is found again only if all those that lead to it are.
        for folder in parent.ancestors().take_while(|folder| folder.starts_with(&self.root)) {
            flush(&File::open(folder)?)?;
        }
        Ok(())
    }

    fn flush(&self, file: &File) -> io::Result<()> {
        self.flush.as_ref().map_or(Ok(()), |flush| flush(file))
    }

    fn flush_parent(&self, path: &Path) -> io::Result<()> {
        match &self.flush {
            Some(flush) => flush(&File::open(path.parent().unwrap_or(&self.root))?),
            None => Ok(()),
        }
    }

    /// Flushes everything in `folder`, and the folder last.
    fn flush_all(&self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                self.flush_all(&entry.path())?;
            } else {
                self.flush(&File::open(entry.path())?)?;
            }
        }
        self.flush(&File::open(folder)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::os::unix::fs::MetadataExt;
    use std::sync::Mutex;

    use super::*;

    fn identity(file: &File) -> u64 {
        file.metadata().expect("metadata").ino()
    }

    /// Returns files that remember what was flushed, and what they remember.
    fn remembering(root: &Path) -> (Files, Arc<Mutex<HashSet<u64>>>) {
        let flushed = Arc::new(Mutex::new(HashSet::new()));
        let remembered = Arc::clone(&flushed);
        let flush = move |file: &File| {
            remembered.lock().expect("the list").insert(identity(file));
            Ok(())
        };
        (Files::new(root.to_owned(), Some(Arc::new(flush))), flushed)
    }

    fn failing(root: &Path) -> Files {
        Files::new(
            root.to_owned(),
            Some(Arc::new(|_: &File| Err(io::ErrorKind::StorageFull.into()))),
        )
    }

    fn everything_in(folder: &Path, found: &mut Vec<PathBuf>) {
        found.push(folder.to_owned());
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { everything_in(&path, found) } else { found.push(path) }
        }
    }

    #[test]
    fn an_artifact_and_the_folders_that_lead_to_it_are_flushed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (from, root) = (folder.path().join("from"), folder.path().join("store"));
        fs::create_dir_all(from.join("inner")).expect("made");
        fs::create_dir(&root).expect("made");
        fs::write(from.join("data.npy"), b"1").expect("written");
        fs::write(from.join("inner/more.npy"), b"2").expect("written");
        let (files, flushed) = remembering(&root);
        files.move_folder(&from, &root.join("artifacts/a/1")).expect("moved");
        let mut all = Vec::new();
        everything_in(&root, &mut all);
        assert_eq!(all.len(), 7, "{all:?}");
        for path in all {
            let identity = identity(&File::open(&path).expect("opened"));
            assert!(flushed.lock().expect("the list").contains(&identity), "{path:?}");
        }
    }

    #[test]
    fn a_document_is_flushed_with_its_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let (files, flushed) = remembering(folder.path());
        let path = folder.path().join("a");
        files.create(&path, b"1").expect("created");
        for path in [path.as_path(), folder.path()] {
            let identity = identity(&File::open(path).expect("opened"));
            assert!(flushed.lock().expect("the list").contains(&identity), "{path:?}");
        }
    }

    #[test]
    fn what_cannot_be_flushed_does_not_appear() {
        let folder = tempfile::tempdir().expect("a folder");
        let (from, files) = (folder.path().join("from"), failing(folder.path()));
        fs::create_dir(&from).expect("made");
        fs::write(from.join("data.npy"), b"1").expect("written");
        files.create(&folder.path().join("created"), b"1").expect_err("full");
        files.move_folder(&from, &folder.path().join("moved")).expect_err("full");
        let left: Vec<_> = fs::read_dir(folder.path()).expect("a folder").collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}
