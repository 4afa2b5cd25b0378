//! The archive: a compressed tar in which nothing but names, modes and contents counts.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::num::NonZero;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use partita_core::digest::{Digest, FieldHasher};
use tar::{Archive, Builder, EntryType, Header};

use super::{CodeError, files};
use crate::store::{ArtifactStore, layout};

/// How hard it is compressed: code is small, and waits to run.
const LEVEL: i32 = 3;

/// The time of every file: tools do not take the epoch itself.
const TIME: u64 = 315_532_800;

/// How often files may change while they are packed.
const TRIES: usize = 3;

/// Puts the code below `root` into `store`, unless it is there; returns its digest. What lies below
/// `excluded` is no code.
///
/// # Errors
/// If its files cannot be read, take too much or do not stay as they are, or the store fails.
pub fn pack(
    store: &dyn ArtifactStore,
    root: &Path,
    excluded: &[PathBuf],
) -> Result<Digest, CodeError> {
    for _ in 0..TRIES {
        let found = files::of(root, excluded)?;
        let digest = digest(root, &found)?;
        let path = layout::code(&digest);
        if store.list(layout::CODE)?.iter().any(|name| path.ends_with(name.as_str())) {
            return Ok(digest);
        }
        let (packed, archive) = archive(root, &found)?;
        if packed == digest {
            store.create(&path, archive.into())?;
            return Ok(digest);
        }
    }
    Err(CodeError::Restless(root.to_owned()))
}

/// Puts the code with this digest into `folder`.
///
/// # Errors
/// If it is not in the store, is not what its digest says, or cannot be written.
pub fn unpack(store: &dyn ArtifactStore, code: Digest, folder: &Path) -> Result<(), CodeError> {
    let path = layout::code(&code);
    let bytes = store.read(&path)?;
    let corrupt = || CodeError::Corrupt { path: path.clone(), uri: store.uri().to_owned() };
    let written = |error| CodeError::file(folder, "written", error);
    let decoder = zstd::Decoder::new(&bytes[..]).map_err(|_| corrupt())?;
    let mut archive = Archive::new(decoder);
    let mut paths = BTreeSet::new();
    for entry in archive.entries().map_err(|_| corrupt())? {
        let mut entry = entry.map_err(|_| corrupt())?;
        paths.insert(entry.path().map_err(|_| corrupt())?.into_owned());
        // It is refused if it leads out of the folder.
        if !entry.unpack_in(folder).map_err(written)? {
            return Err(corrupt());
        }
    }
    if digest(folder, &paths)? == code { Ok(()) } else { Err(corrupt()) }
}

fn archive(root: &Path, files: &BTreeSet<PathBuf>) -> Result<(Digest, Vec<u8>), CodeError> {
    let failed = |error| CodeError::file(root, "packed", error);
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL).map_err(failed)?;
    encoder.include_checksum(true).map_err(failed)?;
    // What comes out does not depend on how many there are.
    encoder.multithread(threads() as u32).map_err(failed)?;
    let mut tar = Builder::new(encoder);
    let digest = each(root, files, |path, found| add(&mut tar, path, &found))?;
    let archive = tar.into_inner().and_then(zstd::Encoder::finish).map_err(failed)?;
    Ok((digest, archive))
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A file.
    File {
        /// Who may do what with it.
        mode: u32,
        /// What is in it.
        content: Vec<u8>,
    },
    /// A link to this.
    Link(PathBuf),
}

impl Found {
    fn at(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        if metadata.is_symlink() {
            return Ok(Self::Link(fs::read_link(path)?));
        }
        let mode = metadata.permissions().mode() & 0o777;
        Ok(Self::File { mode, content: fs::read(path)? })
    }

    /// Returns the digest of this at a path.
    fn digest(&self, path: &Path) -> Digest {
        let mut hasher = FieldHasher::default();
        hasher.field("path", path.as_os_str().as_bytes());
        match self {
            Self::File { mode, content } => {
                hasher.field("mode", &mode.to_le_bytes()).field("content", content)
            }
            Self::Link(target) => hasher.field("link", target.as_os_str().as_bytes()),
        };
        hasher.finish()
    }
}

/// Reads a file below `root`.
fn read(root: &Path, path: &Path) -> Result<Found, CodeError> {
    let full = root.join(path);
    Found::at(&full).map_err(|error| CodeError::file(&full, "read", error))
}

/// Returns the digest of files below `root`: that of the digests of each, in order.
pub(super) fn digest(root: &Path, files: &BTreeSet<PathBuf>) -> Result<Digest, CodeError> {
    let queue = Mutex::new(files.iter().enumerate());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || -> Result<Vec<(usize, Digest)>, CodeError> {
        let mut digests = Vec::new();
        while let Some((index, path)) = next() {
            digests.push((index, read(root, path)?.digest(path)));
        }
        Ok(digests)
    };
    let mut digests = thread::scope(|scope| {
        // A thread is no gain for less.
        let others: Vec<_> =
            (1..threads().min(files.len() / 8 + 1)).map(|_| scope.spawn(work)).collect();
        let mut digests = work()?;
        for other in others {
            digests.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok::<_, CodeError>(digests)
    })?;
    digests.sort_unstable_by_key(|(index, _)| *index);
    Ok(digest_of(digests.into_iter().map(|(_, digest)| digest)))
}

/// Hands each file below `root` to `take`, in order; returns the digest of all.
pub(super) fn each(
    root: &Path,
    files: &BTreeSet<PathBuf>,
    mut take: impl FnMut(&Path, Found) -> io::Result<()>,
) -> Result<Digest, CodeError> {
    let mut digests = Vec::new();
    for path in files {
        let found = read(root, path)?;
        digests.push(found.digest(path));
        take(path, found).map_err(|error| CodeError::file(&root.join(path), "read", error))?;
    }
    Ok(digest_of(digests.into_iter()))
}

fn digest_of(digests: impl Iterator<Item = Digest>) -> Digest {
    let mut all = FieldHasher::default();
    for digest in digests {
        all.field("file", digest.to_string().as_bytes());
    }
    all.finish()
}

/// Returns how many threads read, hash and pack.
fn threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

pub(super) fn add<W: Write>(tar: &mut Builder<W>, path: &Path, found: &Found) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_mtime(TIME);
    match found {
        Found::File { mode, content } => {
            header.set_entry_type(EntryType::Regular);
            header.set_mode(*mode);
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, path, &content[..])
        }
        Found::Link(target) => {
            header.set_entry_type(EntryType::Symlink);
            header.set_mode(0o777);
            header.set_size(0);
            tar.append_link(&mut header, path, target)
        }
    }
}
