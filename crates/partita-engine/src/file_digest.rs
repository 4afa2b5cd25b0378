//! Digests of whole files, and what is remembered of them.

use std::fs::{self, Metadata};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use partita_core::digest::Digest;
use partita_core::time::Timestamp;
use tempfile::NamedTempFile;

use crate::clock;

/// From this size on, in bytes, all processors work on a digest.
const LARGE_FILE: u64 = 1 << 20;

/// How many seconds a file must not have changed for its digest to be remembered: more than the
/// steps in which any file system in use counts time, so that no later change bears the same time.
const SETTLED: i64 = 4;

/// Returns the digest of a file's content.
///
/// # Errors
/// If it cannot be read.
pub fn digest_file(path: &Path) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    if fs::metadata(path)?.len() >= LARGE_FILE {
        hasher.update_mmap_rayon(path)?;
    } else {
        hasher.update(&fs::read(path)?);
    }
    Ok(hasher.finalize().into())
}

/// The digests of files that seldom change, such as programs, remembered in a folder.
///
/// A digest counts for as long as the file system says that nothing of the file has changed: its
/// device, number, size, and when its content and its entry were last changed. The last of these
/// cannot be set by anybody.
#[derive(Debug, Clone)]
pub struct KnownDigests {
    folder: PathBuf,
}

impl KnownDigests {
    /// Remembers in this folder, which is made when it is needed, if its parent is there.
    #[must_use]
    pub fn in_folder(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Returns the digest of the file at `path`, which is remembered under `name`.
    ///
    /// # Errors
    /// If it cannot be read. That it cannot be remembered is no error.
    pub fn of(&self, path: &Path, name: &Path) -> io::Result<Digest> {
        self.of_at(path, name, clock::now())
    }

    /// Returns the digest of the file at `path`, and leaves no trace: what [`Self::of`] has remembered
    /// under `name` counts, and nothing else is remembered.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn look_up(&self, path: &Path, name: &Path) -> io::Result<Digest> {
        let state = state(&fs::metadata(path)?);
        match recall(&self.memory(name), &state) {
            Some(digest) => Ok(digest),
            None => digest_file(path),
        }
    }

    /// Returns where the digest is remembered of the file with this name.
    fn memory(&self, name: &Path) -> PathBuf {
        self.folder.join(Digest::of(name.as_os_str().as_bytes()).short())
    }

    fn of_at(&self, path: &Path, name: &Path, now: Timestamp) -> io::Result<Digest> {
        let state = state(&fs::metadata(path)?);
        let memory = self.memory(name);
        if let Some(digest) = recall(&memory, &state) {
            return Ok(digest);
        }
        let digest = digest_file(path)?;
        let after = fs::metadata(path)?;
        if state == self::state(&after) && is_settled(&after, now) {
            let _ = self.remember(&memory, &state, &digest);
        }
        Ok(digest)
    }

    fn remember(&self, memory: &Path, state: &str, digest: &Digest) -> io::Result<()> {
        match fs::create_dir(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let mut file = NamedTempFile::new_in(&self.folder)?;
        writeln!(file, "{state} {digest}")?;
        file.persist(memory)?;
        Ok(())
    }
}

/// Returns what is remembered of a file in this state.
fn recall(memory: &Path, state: &str) -> Option<Digest> {
    let text = fs::read_to_string(memory).ok()?;
    text.strip_suffix('\n')?.strip_prefix(state)?.strip_prefix(' ')?.parse().ok()
}

/// Returns what changes whenever the content of a file does.
fn state(found: &Metadata) -> String {
    format!(
        "{} {} {} {}.{:09} {}.{:09}",
        found.dev(),
        found.ino(),
        found.size(),
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec(),
    )
}

/// Returns whether a change from now on gets another time than the last one has.
fn is_settled(found: &Metadata, now: Timestamp) -> bool {
    now.0 / 1_000_000 - found.ctime() >= SETTLED
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes};

    use super::*;

    /// A place with a program, and when its state has settled.
    struct Place {
        folder: tempfile::TempDir,
        later: Timestamp,
    }

    impl Place {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("program"), "one").unwrap();
            Self { folder, later: Timestamp(clock::now().0 + 60_000_000) }
        }

        fn program(&self) -> PathBuf {
            self.folder.path().join("program")
        }

        fn digests(&self) -> PathBuf {
            self.folder.path().join("digests")
        }

        fn digest_at(&self, now: Timestamp) -> Digest {
            let program = self.program();
            KnownDigests::in_folder(self.digests()).of_at(&program, &program, now).unwrap()
        }

        /// Puts another digest in the place of the one that is remembered.
        fn forge(&self) -> Digest {
            let other = Digest::of(b"another");
            for memory in fs::read_dir(self.digests()).unwrap() {
                let memory = memory.unwrap().path();
                let text = fs::read_to_string(&memory).unwrap();
                let (state, _) = text.rsplit_once(' ').unwrap();
                fs::write(memory, format!("{state} {other}\n")).unwrap();
            }
            other
        }
    }

    #[test]
    fn a_file_that_has_not_changed_is_not_read_again() {
        let place = Place::new();
        assert_eq!(place.digest_at(place.later), digest_file(&place.program()).unwrap());
        let forged = place.forge();
        assert_eq!(place.digest_at(place.later), forged);
    }

    #[test]
    fn a_change_is_seen_that_leaves_size_and_time_alone() {
        let place = Place::new();
        place.digest_at(place.later);
        let file = File::options().write(true).open(place.program()).unwrap();
        let before = file.metadata().unwrap().modified().unwrap();
        fs::write(place.program(), "two").unwrap();
        file.set_times(FileTimes::new().set_modified(before)).unwrap();
        assert_eq!(place.digest_at(place.later), digest_file(&place.program()).unwrap());
    }

    #[test]
    fn what_changed_a_moment_ago_is_not_remembered() {
        let place = Place::new();
        place.digest_at(clock::now());
        assert!(!place.digests().exists());
    }

    #[test]
    fn a_memory_that_is_no_digest_is_passed_over() {
        let place = Place::new();
        let digest = place.digest_at(place.later);
        for memory in fs::read_dir(place.digests()).unwrap() {
            fs::write(memory.unwrap().path(), "nothing of the kind").unwrap();
        }
        assert_eq!(place.digest_at(place.later), digest);
    }

    #[test]
    fn what_is_remembered_is_looked_up_and_what_is_not_leaves_no_trace() {
        let place = Place::new();
        let program = place.program();
        let looked_up =
            || KnownDigests::in_folder(place.digests()).look_up(&program, &program).unwrap();
        assert_eq!(looked_up(), digest_file(&program).unwrap());
        assert!(!place.digests().exists());
        place.digest_at(place.later);
        let forged = place.forge();
        assert_eq!(looked_up(), forged);
        fs::write(&program, "two").unwrap();
        assert_eq!(looked_up(), digest_file(&program).unwrap());
    }

    #[test]
    fn nothing_is_remembered_where_there_is_no_home() {
        let place = Place::new();
        let nowhere = place.folder.path().join("none/digests");
        let program = place.program();
        let digest =
            KnownDigests::in_folder(nowhere.clone()).of_at(&program, &program, place.later);
        assert_eq!(digest.unwrap(), digest_file(&program).unwrap());
        assert!(!nowhere.exists());
    }
}
