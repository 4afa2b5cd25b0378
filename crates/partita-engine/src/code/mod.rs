//! The author's code on its way to places that do not see the source root.
//!
//! Every file of the source root that belongs to the code, whatever it is called, lies in one archive
//! of the artifact store, under the digest of what is in it. So code that has not changed is not
//! packed again, and an archive may be removed at any time: whoever needs one makes it.

mod archive;
mod context;
mod files;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use archive::{Found, pack, unpack};
pub use context::{context_digest, context_files, for_image};

use crate::store::StoreError;

/// Why code cannot be packed or unpacked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// The artifact store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file cannot be read or written.
    #[error("the code at `{}` cannot be {done}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What could not be done with it.
        done: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// There is more than anyone would call code.
    #[error(
        "the source root `{}` has more than {limit} to be taken where its steps run, {size} of it in `{largest}`; list what is no code in `.gitignore`, or move it elsewhere",
        root.display()
    )]
    TooLarge {
        /// The source root.
        root: PathBuf,
        /// What may be taken.
        limit: partita_core::settings::Memory,
        /// The file or folder at its top that takes the most.
        largest: String,
        /// What that takes.
        size: partita_core::settings::Memory,
    },
    /// There is more than anyone would copy into an image.
    #[error(
        "the folder `{}` has more than {limit} that a Dockerfile may copy; list what stays behind in `.dockerignore`, or name a smaller one with `build_context_root`",
        folder.display()
    )]
    ContextTooLarge {
        /// The folder.
        folder: PathBuf,
        /// What may be copied.
        limit: partita_core::settings::Memory,
    },
    /// The files change while they are packed.
    #[error("the files of the source root `{}` change while they are packed; run it again once they do not", .0.display())]
    Restless(PathBuf),
    /// The archive is not what its name says.
    #[error(
        "the code archive `{path}` in the artifact store `{uri}` is corrupt; delete it, and run the pipeline again, which makes it anew"
    )]
    Corrupt {
        /// Its path in the store.
        path: String,
        /// The store.
        uri: String,
    },
}

impl CodeError {
    fn file(path: &Path, done: &'static str, error: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), done, error }
    }
}
