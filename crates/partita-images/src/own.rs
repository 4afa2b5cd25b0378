//! Partita's own layer: the package of the running installation, and what has Python find it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use partita_core::digest::{Digest, FieldHasher};
use partita_engine::file_digest::{KnownDigests, digest_file};

use crate::layer::{Content, Files, add_folder};
use crate::parent::ParentPython;

/// Where the package is in images.
const OWN: &str = "opt/partita/own";
/// Where distributions are that the `native` builder installs.
pub(crate) const PACKAGES: &str = "opt/partita/packages";

/// What tells of the package as one that is installed, whichever way it is here.
const METADATA: &str =
    concat!("Metadata-Version: 2.1\nName: partita\nVersion: ", env!("CARGO_PKG_VERSION"), "\n");

/// Has Python look there first, whatever else an image has of the same names.
const PATHS: &str = "import site, sys; n = len(sys.path); \
    site.addsitedir('/opt/partita/own'); site.addsitedir('/opt/partita/packages'); \
    sys.path[:] = sys.path[n:] + sys.path[:n]\n";

/// From this size on, in bytes, a file takes longer to read than what is known of it.
const LARGE: u64 = 1 << 20;

/// The Python that runs this Partita.
#[derive(Debug, Clone)]
pub struct OwnPython {
    /// Its interpreter.
    pub interpreter: PathBuf,
    /// The folder of its package `partita`.
    pub package: PathBuf,
    /// Its minor version, such as `3.11`.
    pub version: String,
}

/// The files of the package, and their digest.
pub(crate) struct Own {
    files: Files,
    pub(crate) digest: Digest,
}

impl Own {
    /// Reads the package, or what is known of its files.
    pub(crate) fn read(package: &Path, known: &KnownDigests) -> io::Result<Self> {
        let mut files = Files::new();
        add_folder(&mut files, package, &Path::new(OWN).join("partita"))?;
        let mut hasher = FieldHasher::default();
        let version = env!("CARGO_PKG_VERSION");
        let metadata = format!("{OWN}/partita-{version}.dist-info/METADATA");
        hasher.field("paths", PATHS.as_bytes()).field("metadata", METADATA.as_bytes());
        for (path, content) in &files {
            hasher.field("path", path.as_os_str().as_encoded_bytes());
            if let Content::File(from) = content {
                let digest = match fs::metadata(from)?.len() {
                    ..LARGE => digest_file(from),
                    LARGE.. => known.of(from, from),
                };
                hasher.field("content", digest?.to_string().as_bytes());
            }
        }
        let content =
            Content::Bytes { bytes: METADATA.as_bytes().to_vec(), mode: crate::layer::DATA };
        files.insert(metadata.into(), content);
        Ok(Self { digest: hasher.finish(), files })
    }

    /// Returns the files of the layer in an image with this Python.
    pub(crate) fn layer(&self, python: &ParentPython) -> Files {
        let mut files = self.files.clone();
        let paths = Content::Bytes { bytes: PATHS.as_bytes().to_vec(), mode: crate::layer::DATA };
        let place = python.packages.strip_prefix('/').unwrap_or(&python.packages);
        files.insert(Path::new(place).join("partita-image.pth"), paths);
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_has_another_digest_once_any_file_of_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("partita");
        fs::create_dir(&package).unwrap();
        let known = KnownDigests::in_folder(folder.path().join("digests"));
        let write = |name: &str, content: &[u8]| fs::write(package.join(name), content).unwrap();
        let digest = || Own::read(&package, &known).unwrap().digest;
        let large = vec![1; LARGE as usize];
        write("__init__.py", b"1");
        write("_native.so", &large);
        let first = digest();
        write("__init__.py", b"2");
        assert_ne!(digest(), first);
        write("__init__.py", b"1");
        assert_eq!(digest(), first);
        write("_native.so", &vec![2; large.len()]);
        assert_ne!(digest(), first);
    }
}
