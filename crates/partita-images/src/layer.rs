//! Layers: tars in which nothing but names, contents and whether something can be run counts, so that
//! the same files are the same bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

/// The time of everything: tools do not take the epoch itself.
pub(crate) const TIME: u64 = 315_532_800;

/// Who may do what with files that are run, and with all others.
pub(crate) const PROGRAM: u32 = 0o755;
pub(crate) const DATA: u32 = 0o644;

/// What is at a path of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// What a file of this machine holds.
    File(PathBuf),
    /// These bytes.
    Bytes { bytes: Vec<u8>, mode: u32 },
    /// A link to this.
    Link(PathBuf),
}

/// The files of a layer by their paths in the image, which begin with no `/`.
pub(crate) type Files = BTreeMap<PathBuf, Content>;

/// Adds what lies below a folder of this machine, but for what Python makes of it.
pub(crate) fn add_folder(files: &mut Files, folder: &Path, at: &Path) -> io::Result<()> {
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        for entry in fs::read_dir(folder.join(&below))? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                if entry.file_name() != "__pycache__" {
                    folders.push(path);
                }
            } else if kind.is_symlink() {
                files.insert(at.join(&path), Content::Link(fs::read_link(entry.path())?));
            } else if kind.is_file() {
                files.insert(at.join(&path), Content::File(entry.path()));
            }
        }
    }
    Ok(())
}

/// Writes files, below `top`, in order, with the folders that they are in.
pub(crate) fn add_files<W: Write>(
    tar: &mut Builder<W>,
    files: &Files,
    top: &Path,
) -> io::Result<()> {
    let mut made = BTreeSet::new();
    for (path, content) in files {
        let path = top.join(path);
        let above: Vec<&Path> = path.ancestors().skip(1).collect();
        for folder in above.into_iter().rev().filter(|folder| !folder.as_os_str().is_empty()) {
            if made.insert(folder.to_owned()) {
                let mut header = header(EntryType::Directory, 0o755, 0);
                tar.append_data(&mut header, folder, io::empty())?;
            }
        }
        add(tar, &path, content)?;
    }
    Ok(())
}

/// Writes one file.
pub(crate) fn add<W: Write>(
    tar: &mut Builder<W>,
    path: &Path,
    content: &Content,
) -> io::Result<()> {
    match content {
        Content::File(from) => {
            let file = File::open(from)?;
            let metadata = file.metadata()?;
            let mode = mode(metadata.permissions().mode() & 0o100 != 0);
            let mut header = header(EntryType::Regular, mode, metadata.len());
            tar.append_data(&mut header, path, file)
        }
        Content::Bytes { bytes, mode } => {
            let mut header = header(EntryType::Regular, *mode, bytes.len() as u64);
            tar.append_data(&mut header, path, &bytes[..])
        }
        Content::Link(to) => {
            let mut header = header(EntryType::Symlink, 0o777, 0);
            tar.append_link(&mut header, path, to)
        }
    }
}

fn mode(is_executable: bool) -> u32 {
    if is_executable { PROGRAM } else { DATA }
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(TIME);
    header
}

/// Writes a layer and returns its digest, as images name it.
pub(crate) fn write(files: &Files, into: File) -> io::Result<String> {
    let mut tar = Builder::new(Hashing::new(into));
    add_files(&mut tar, files, Path::new(""))?;
    Ok(tar.into_inner()?.finish()?.0)
}

/// Returns the digest of bytes, as images name it.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(bytes);
    named(hasher)
}

/// Returns the digest of a layer that was written before.
pub(crate) fn digest_of_file(path: &Path) -> io::Result<String> {
    let mut hashing = Hashing::new(io::sink());
    io::copy(&mut File::open(path)?, &mut hashing)?;
    Ok(hashing.finish()?.0)
}

fn named(hasher: Sha256) -> String {
    let hex: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Knows the digest and the size of what is written through it.
pub(crate) struct Hashing<W> {
    into: W,
    hasher: Sha256,
    size: u64,
}

impl<W: Write> Hashing<W> {
    pub(crate) fn new(into: W) -> Self {
        Self { into, hasher: Sha256::new(), size: 0 }
    }

    /// Returns the digest, as images name it, and the size of what was written.
    pub(crate) fn finish(mut self) -> io::Result<(String, u64)> {
        self.into.flush()?;
        Ok((named(self.hasher), self.size))
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.into.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.into.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_are_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let made = |name: &str, mode: u32| {
            let top = folder.path().join(name);
            fs::create_dir_all(top.join("sub/__pycache__")).unwrap();
            fs::write(top.join("sub/größe ✓.py"), "1").unwrap();
            fs::write(top.join("sub/__pycache__/a.pyc"), name).unwrap();
            fs::write(top.join("run"), "2").unwrap();
            fs::set_permissions(top.join("run"), fs::Permissions::from_mode(mode)).unwrap();
            std::os::unix::fs::symlink("run", top.join("link")).unwrap();
            let mut files = Files::new();
            add_folder(&mut files, &top, Path::new("opt/a")).unwrap();
            let path = folder.path().join(format!("{name}.tar"));
            let digest = write(&files, File::create(&path).unwrap()).unwrap();
            assert_eq!(digest_of_file(&path).unwrap(), digest);
            (digest, fs::read(path).unwrap())
        };
        assert_eq!(made("first", 0o700), made("second", 0o775));
        assert_ne!(made("third", 0o644).0, made("fourth", 0o755).0);
        assert_eq!(
            digest(b""),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }
}
