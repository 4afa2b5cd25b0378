//! Waits for changes in a folder of an artifact store.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// Waits for changes under one folder of an artifact store.
pub trait Watch: Send {
    /// Waits until something may have changed since the last call, and at most for `longest`. The
    /// first call returns at once.
    fn wait(&mut self, longest: Duration);
}

/// Changes that matter: what appears, what grows, what is written to its end, what goes.
fn changes() -> AddWatchFlags {
    AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_MODIFY
        | AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_DELETE
}

/// How often it is looked where the system has no watches left.
const WITHOUT_INOTIFY: Duration = Duration::from_millis(200);

/// Watches a local folder and the folders in it, two deep: a run's, its steps', and their items'.
pub(crate) struct FolderWatch {
    folder: PathBuf,
    inotify: Option<Inotify>,
    watched: Vec<PathBuf>,
}

impl FolderWatch {
    pub(crate) fn new(folder: PathBuf) -> Self {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok();
        Self { folder, inotify, watched: Vec::new() }
    }

    /// Watches what is not watched yet. Returns whether there was any of it: what happened in it
    /// before is not told.
    fn watch_new(&mut self) -> bool {
        let Some(inotify) = &self.inotify else { return false };
        let mut folders = vec![self.folder.clone()];
        for folder in folders_in(&self.folder) {
            folders.extend(folders_in(&folder));
            folders.push(folder);
        }
        folders.retain(|folder| !self.watched.contains(folder));
        folders.retain(|folder| inotify.add_watch(folder, changes()).is_ok());
        let has_new = !folders.is_empty();
        self.watched.append(&mut folders);
        has_new
    }
}

impl Watch for FolderWatch {
    fn wait(&mut self, longest: Duration) {
        if self.watch_new() {
            return;
        }
        let Some(inotify) = self.inotify.as_ref().filter(|_| !self.watched.is_empty()) else {
            std::thread::sleep(longest.min(WITHOUT_INOTIFY));
            return;
        };
        let timeout = PollTimeout::try_from(longest).unwrap_or(PollTimeout::MAX);
        // Whatever ended the wait, the caller looks again.
        let _ = poll(&mut [PollFd::new(inotify.as_fd(), PollFlags::POLLIN)], timeout);
        while inotify.read_events().is_ok_and(|events| !events.is_empty()) {}
    }
}

fn folders_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let folders =
        entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Longer than any test waits for what has happened.
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_wait_ends_with_each_change_also_in_folders_that_are_made_meanwhile() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut watch = FolderWatch::new(folder.path().to_owned());
        watch.wait(LONG);
        let steps = folder.path().join("steps");
        std::fs::create_dir(&steps).expect("made");
        watch.wait(LONG); // the folder
        watch.wait(LONG); // and that it is watched from now on
        let items = steps.join("0-a.items");
        std::fs::create_dir(&items).expect("made");
        watch.wait(LONG); // the folder of items
        watch.wait(LONG);
        for folder in [&steps, &items] {
            for name in ["a", "b"] {
                std::fs::write(folder.join(name), name).expect("written");
                watch.wait(LONG);
            }
        }
    }

    #[test]
    fn a_wait_for_nothing_ends_in_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut watch = FolderWatch::new(folder.path().join("missing"));
        watch.wait(Duration::from_millis(1));
        watch.wait(Duration::from_millis(1));
    }
}
