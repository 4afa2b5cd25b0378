//! Which executables are programs that have pipelines or steps.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use memchr::memmem;
use partita_core::launcher::PROGRAM_MARK;

/// Returns whether a file is a program that the Rust SDK made.
pub fn is_program(path: &Path) -> bool {
    let is_executable = fs::metadata(path)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
    is_executable
        && path.extension().is_none_or(|extension| extension != "py")
        && fs::read(path)
            .is_ok_and(|content| memmem::find(&content, PROGRAM_MARK.as_bytes()).is_some())
}
