//! The author's code as a layer of images, for orchestrators that do not bring it along otherwise.

use std::path::{Path, PathBuf};

use partita_core::digest::Digest;
use partita_engine::code::{self, CodeError, Found};

use crate::layer::{Content, Files};

/// Where it is in images. Containers begin there.
pub(crate) const ROOT: &str = "/opt/partita/code";
/// The variable that says so to entrypoints.
pub(crate) const VARIABLE: &str = "PARTITA_SOURCE_ROOT";

/// The author's code as it was when it was read.
#[derive(Debug, Clone)]
pub struct Code {
    pub(crate) files: Files,
    pub(crate) digest: Digest,
}

impl Code {
    /// Reads the code below a source root. What lies below `excluded` is none, nor what its
    /// `.dockerignore` lists.
    ///
    /// # Errors
    /// If it cannot be read, or takes too much.
    pub fn read(source_root: &Path, excluded: &[PathBuf]) -> Result<Self, CodeError> {
        let top = Path::new(ROOT.trim_start_matches('/'));
        let mut files = Files::new();
        let digest = code::for_image(source_root, excluded, |path, found| {
            files.insert(top.join(path), content(found));
        })?;
        Ok(Self { files, digest })
    }
}

/// Returns what is in the image, where everybody may do what its owner may, but for writing: a step
/// may be run by anybody.
fn content(found: Found) -> Content {
    match found {
        Found::File { mode, content } => {
            let of_owner = mode & 0o500;
            Content::Bytes { bytes: content, mode: mode | of_owner >> 3 | of_owner >> 6 }
        }
        Found::Link(target) => Content::Link(target),
    }
}
