//! Partita's own layer: the package of the running installation, and what has Python find it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use partita_core::digest::{Digest, FieldHasher};

use crate::layer::{Content, Files, add_folder};
use crate::parent::ParentPython;

/// Where the package is in images.
const OWN: &str = "opt/partita/own";
/// Where distributions are that the `native` builder installs.
pub(crate) const PACKAGES: &str = "opt/partita/packages";

/// Has Python look there first, whatever else an image has of the same names.
const PATHS: &str = "import site, sys; n = len(sys.path); \
    site.addsitedir('/opt/partita/own'); site.addsitedir('/opt/partita/packages'); \
    sys.path[:] = sys.path[n:] + sys.path[:n]\n";

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
    /// Reads the package.
    pub(crate) fn read(package: &Path) -> io::Result<Self> {
        let mut files = Files::new();
        add_folder(&mut files, package, &Path::new(OWN).join("partita"))?;
        let mut hasher = FieldHasher::default();
        hasher.field("paths", PATHS.as_bytes());
        for (path, content) in &files {
            hasher.field("path", path.as_os_str().as_encoded_bytes());
            if let Content::File(from) = content {
                hasher.field("content", Digest::of(&fs::read(from)?).to_string().as_bytes());
            }
        }
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
