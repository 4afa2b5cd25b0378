//! The `local` flavor: an artifact store in a folder of this machine, over `object_store`.

mod paths;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use bytes::Bytes;
use futures_executor::block_on;
use nix::libc::O_NOFOLLOW;
use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::paths::{resolved, uri};
use super::documents::Documents;
use super::files::Files;
use super::lease::{self, Taken};
use super::watch::FolderWatch;
use super::{
    ArtifactStore, Hold, LeaseGuard, LeaseState, Result, Staging, StoreError, Watch, hold, layout,
};

/// What a commit survives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// The death of any process.
    #[default]
    Process,
    /// The loss of power as well, at the cost of disk flushes for each document and artifact.
    Power,
}

/// An artifact store in a local folder.
#[derive(Debug)]
pub struct LocalArtifactStore {
    files: Files,
    uri: String,
    durability: Durability,
    objects: OnceLock<LocalFileSystem>,
}

/// What is in the names of files that are being written, and in no others.
const TEMPORARY: char = '#';
/// The file that beginning runs and collection lock.
const HOLD: &str = "hold.lock";

impl LocalArtifactStore {
    /// Opens the store in `root`. A folder that is not there is an empty store, and is made with
    /// the first thing that is put into it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if `root` is no folder, or what leads to it cannot be entered.
    pub fn open(root: &Path, durability: Durability) -> Result<Self> {
        let unavailable = |reason: String| StoreError::Unavailable {
            uri: uri(root),
            reason,
            help: "check that it is a folder and that you may enter it".to_owned(),
        };
        let root = resolved(root).map_err(|error| unavailable(error.to_string()))?;
        if root.exists() && !root.is_dir() {
            return Err(unavailable("it is no folder".to_owned()));
        }
        let flush = (durability == Durability::Power).then(Files::to_disk);
        Ok(Self {
            uri: uri(&root),
            files: Files::new(root, flush),
            durability,
            objects: OnceLock::new(),
        })
    }

    /// Returns whether its folder is there.
    pub fn exists(&self) -> bool {
        self.files.root().is_dir()
    }

    /// Returns the files under the root, which is there.
    fn objects(&self) -> object_store::Result<&LocalFileSystem> {
        if let Some(objects) = self.objects.get() {
            return Ok(objects);
        }
        let objects = LocalFileSystem::new_with_prefix(self.files.root())?
            .with_fsync(self.durability == Durability::Power);
        Ok(self.objects.get_or_init(|| objects))
    }

    /// Returns the files under the root, after making it.
    fn objects_to_write(&self, path: &str) -> Result<&LocalFileSystem> {
        if self.objects.get().is_none() {
            let made = self.files.owner().make_folder(self.files.root());
            made.map_err(|error| self.failed(path, &error))?;
        }
        self.objects().map_err(|error| self.object_failed(path, error))
    }

    /// Puts bytes at `path` the portable way. Returns whether they were put.
    fn put(&self, path: &str, bytes: Bytes, mode: PutMode) -> Result<bool> {
        let location = Self::location(path)?;
        let objects = self.objects_to_write(path)?;
        let options = PutOptions { mode, ..PutOptions::default() };
        let put = || block_on(objects.put_opts(&location, bytes.into(), options));
        let put = self.files.owner().made(&self.file(path)?, put);
        match put.map_err(|error| self.failed(path, &error))? {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(error) => Err(self.object_failed(path, error)),
        }
    }

    /// Makes a file without a temporary one, with the folder that it lies in if its path is one of
    /// ours: plain, and not by way of a link.
    fn create_file(&self, path: &str, file: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
        match (self.files.create(file, bytes), file.parent()) {
            (Err(error), Some(folder))
                if error.kind() == ErrorKind::NotFound
                    && path.bytes().all(is_plain)
                    && !path.contains("..")
                    && resolved(folder)?.starts_with(self.files.root()) =>
            {
                self.files.owner().make_folder(folder)?;
                self.files.create(file, bytes)
            }
            (made, _) => made,
        }
    }
}

/// Ends a line that a crash or a full disk cut off, so that the next one is a line of its own.
fn end_line(file: &mut fs::File) -> std::io::Result<()> {
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last[0] == b'\n' { Ok(()) } else { file.write_all(b"\n") }
}

impl ArtifactStore for LocalArtifactStore {
    fn uri(&self) -> &str {
        &self.uri
    }

    fn read(&self, path: &str) -> Result<Bytes> {
        let location = Self::location(path)?;
        self.plain_file(path)?;
        block_on(async { self.objects()?.get(&location).await?.bytes().await })
            .map_err(|error| self.object_failed(path, error))
    }

    fn read_from(&self, path: &str, offset: u64) -> Result<Bytes> {
        let mut bytes = Vec::new();
        fs::File::open(self.file(path)?)
            .and_then(|mut file| {
                file.seek(SeekFrom::Start(offset))?;
                file.read_to_end(&mut bytes)
            })
            .map_err(|error| self.failed(path, &error))?;
        Ok(bytes.into())
    }

    fn write(&self, path: &str, bytes: Bytes) -> Result<()> {
        // What is not there yet is made without a temporary file, which a kill would leave behind.
        if self.create(path, bytes.clone())? {
            return Ok(());
        }
        self.put(path, bytes, PutMode::Overwrite).map(drop)
    }

    fn create(&self, path: &str, bytes: Bytes) -> Result<bool> {
        let location = Self::location(path)?;
        // `object_store` marks the names of its temporary files so, and refuses some of these.
        if !path.contains(TEMPORARY) {
            match self.create_file(path, &self.files.root().join(location.as_ref()), &bytes) {
                Ok(()) => return Ok(true),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
                // Whatever is in the way, the portable way meets it too, and its error is told.
                Err(_) => {}
            }
        }
        self.put(path, bytes, PutMode::Create)
    }

    fn link(&self, from: &str, to: &str) -> Result<bool> {
        match self.files.link(&self.file(from)?, &self.file(to)?) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            // Its folder is missing, or this file system has no links: it gets a copy.
            Err(_) => self.create(to, self.read(from)?),
        }
    }

    fn appender(&self, path: &str) -> Result<Box<dyn Write + Send>> {
        let file = self.plain_file(path)?;
        let open = || {
            let mut options = fs::OpenOptions::new();
            options.create(true).read(true).append(true).custom_flags(O_NOFOLLOW);
            let mut file = options.open(&file)?;
            self.files.owner().own_file(&file)?;
            end_line(&mut file)?;
            Ok::<_, std::io::Error>(file)
        };
        let opened = match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.files.make_parent(&file).and_then(|()| open())
            }
            opened => opened,
        };
        match opened {
            Ok(file) => Ok(Box::new(file)),
            Err(error) => Err(self.failed(path, &error)),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let entries = match fs::read_dir(self.file(prefix)?) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed(prefix, &error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| self.failed(prefix, &error))?;
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.contains(TEMPORARY) {
                names.push(if is_folder { format!("{name}/") } else { name });
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn delete(&self, prefix: &str) -> Result<()> {
        let file = self.file(prefix)?;
        self.check_inside(prefix, &file)?;
        let outcome = match fs::symlink_metadata(&file) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(&file),
            Ok(_) => fs::remove_file(&file),
            Err(error) => Err(error),
        };
        match outcome {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.failed(prefix, &error)),
            _ => Ok(()),
        }
    }

    fn staging(&self, path: &str, owner: &str) -> Result<Staging> {
        Self::location(path)?;
        let parent = self.files.root().join(layout::STAGING);
        let prefix = layout::staging_prefix(owner);
        let owner = self.files.owner();
        let folder = owner.make_folder(&parent).and_then(|()| {
            let folder = tempfile::Builder::new().prefix(&prefix).tempdir_in(&parent)?;
            owner.own_all(folder.path())?;
            Ok(folder)
        });
        let folder = folder.map_err(|error| self.failed(path, &error))?;
        Ok(Staging { folder, path: path.to_owned(), digests: BTreeMap::new() })
    }

    fn publish(&self, staging: Staging) -> Result<()> {
        let target = self.file(&staging.path)?;
        self.files
            .move_folder(staging.folder.path(), &target)
            .map_err(|error| self.failed(&staging.path, &error))?;
        // The folder has moved; there is nothing left to remove.
        let _ = staging.folder.keep();
        Ok(())
    }

    fn fetch(&self, path: &str) -> Result<PathBuf> {
        let folder = self.file(path)?;
        match fs::metadata(&folder) {
            Ok(_) => Ok(folder),
            Err(error) => Err(self.failed(path, &error)),
        }
    }

    fn hold(&self) -> Result<Hold> {
        let file = self.files.root().join(HOLD);
        let owner = self.files.owner();
        let hold = hold::shared(&file, owner).or_else(|error| {
            if error.kind() != ErrorKind::NotFound {
                return Err(error);
            }
            owner.make_folder(self.files.root())?;
            hold::shared(&file, owner)
        });
        hold.map_err(|error| match error.kind() {
            ErrorKind::NotFound => StoreError::Unavailable {
                uri: self.uri.clone(),
                reason: format!("its folder cannot be made: {error}"),
                help: "see `partita artifact-store list`, and give the component another `path`"
                    .to_owned(),
            },
            _ => self.failed(HOLD, &error),
        })
    }

    fn collecting(&self) -> Result<Hold> {
        hold::exclusive(&self.files.root().join(HOLD), self.files.owner())
            .map_err(|error| self.failed(HOLD, &error))?
            .ok_or_else(|| StoreError::Beginning(self.uri.clone()))
    }

    fn lease(&self, run_id: &str) -> Result<LeaseGuard> {
        let path = layout::lease(run_id);
        let file = self.plain_file(&path)?;
        let taken =
            self.files.make_parent(&file).and_then(|()| lease::take(&file, self.files.owner()));
        match taken.map_err(|error| self.failed(&path, &error))? {
            Taken::Mine(guard) => Ok(guard),
            Taken::Theirs(lease) => Err(StoreError::LeaseHeld {
                run: Documents::new(self)
                    .run_header(run_id)
                    .map_or_else(|_| run_id.to_owned(), |header| header.name),
                pid: lease.as_ref().map_or(0, |lease| lease.pid),
                host: lease.as_ref().map_or("this machine", |lease| &lease.host).to_owned(),
                since: lease.map_or_else(|| "just now".to_owned(), |lease| lease.since.to_string()),
            }),
        }
    }

    fn lease_state(&self, run_id: &str) -> Result<LeaseState> {
        let path = layout::lease(run_id);
        lease::state(&self.plain_file(&path)?).map_err(|error| self.failed(&path, &error))
    }

    fn watch(&self, prefix: &str) -> Result<Box<dyn Watch>> {
        Ok(Box::new(FolderWatch::new(self.file(prefix)?)))
    }
}
