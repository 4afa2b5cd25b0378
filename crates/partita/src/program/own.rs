//! The program that this process runs.

use std::io;
use std::path::Path;

use partita_cli::places;
use partita_core::deployment::Program;
use partita_core::digest::Digest;
use partita_engine::file_digest::KnownDigests;

/// The file that this process was started from, also where another one has taken its path since.
pub(super) const RUNNING: &str = "/proc/self/exe";

/// The program that this process runs.
#[derive(Debug, Clone)]
pub(crate) struct OwnProgram {
    pub(crate) program: Program,
}

impl OwnProgram {
    /// Finds out what this process runs; its digest is remembered in the home.
    pub(crate) fn find() -> io::Result<Self> {
        let path = std::env::current_exe()?;
        let digest = known().of(Path::new(RUNNING), &path)?;
        let path = path.to_str().ok_or_else(|| not_utf8(&path))?.to_owned();
        Ok(Self { program: Program { path, digest } })
    }
}

/// Returns the digest of what this process runs. Where the home is that of the process which compiled,
/// it is remembered there; nothing is written.
pub(crate) fn digest() -> io::Result<Digest> {
    known().look_up(Path::new(RUNNING), &std::env::current_exe()?)
}

/// Returns what the home remembers.
fn known() -> KnownDigests {
    KnownDigests::in_folder(places::home().join("digests"))
}

fn not_utf8(path: &Path) -> io::Error {
    let what = format!("its path `{}` is no UTF-8 text; move it", path.display());
    io::Error::new(io::ErrorKind::InvalidData, what)
}
