//! What enters steps that are commands in containers: the `partita` command of this machine.
//!
//! An image need not have anything for it, not even a C library: the libraries that the command links,
//! and the linker that finds them, are put beside it into a folder of the container's own. What the command
//! then starts is the image's, and is linked as the image says.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use bollard::models::Mount;
use partita_core::launcher::PROGRAM_ENTRYPOINT;

use super::container::mounted;

/// Where all of it is in a container.
const FOLDER: &str = "/opt/partita/command";
/// Has the linker of a program say what it would load, in place of starting the program.
const TRACE: &str = "LD_TRACE_LOADED_OBJECTS";

/// The `partita` command, and what it takes to start it anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Commands {
    program: PathBuf,
    /// What loads it; a static one needs none.
    linker: Option<PathBuf>,
    libraries: Vec<PathBuf>,
}

impl Commands {
    /// Looks at what a `partita` command links.
    pub(super) fn of(program: &Path) -> io::Result<Self> {
        // A static one knows nothing of the trace, and says its version.
        let said = Command::new(program).arg("--version").env(TRACE, "1").output()?;
        let (linker, libraries) = linked(&String::from_utf8_lossy(&said.stdout));
        Ok(Self { program: program.to_owned(), linker, libraries })
    }

    /// Returns what starts a step's entrypoint in a container.
    pub(super) fn entrypoint(&self) -> Vec<String> {
        let program = [place(&self.program), PROGRAM_ENTRYPOINT.to_owned()];
        let linker = self
            .linker
            .iter()
            .map(|linker| [place(linker), "--library-path".to_owned(), FOLDER.to_owned()]);
        linker.flatten().chain(program).collect()
    }

    /// Returns what puts it into a container.
    pub(super) fn mounts(&self) -> impl Iterator<Item = Mount> {
        let files = [&self.program].into_iter().chain(&self.linker).chain(&self.libraries);
        files.map(|file| mounted(&file.to_string_lossy(), &place(file), true))
    }
}

/// Returns where a file of this machine is in a container.
fn place(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default();
    format!("{FOLDER}/{}", name.to_string_lossy())
}

/// Returns the linker and the libraries that a trace tells of, a line each, as in
/// `libc.so.6 => /lib/libc.so.6 (0x7f)` and `/lib64/ld-linux-x86-64.so.2 (0x7f)`.
fn linked(trace: &str) -> (Option<PathBuf>, Vec<PathBuf>) {
    let mut linker = None;
    let mut libraries = Vec::new();
    for line in trace.lines() {
        let (name, path) = line.split_once(" => ").unwrap_or(("", line));
        let Some(path) = path.trim().split(" (").next().map(PathBuf::from) else { continue };
        let is_linker = path.file_name().is_some_and(is_linker);
        match (name, path.is_absolute()) {
            (_, false) => {}
            (_, true) if is_linker => linker = Some(path),
            ("", true) => {}
            (_, true) => libraries.push(path),
        }
    }
    (linker, libraries)
}

fn is_linker(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with("ld-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_links_comes_with_it() {
        let trace = "\tlinux-vdso.so.1 (0x00007ffe)\n\
            \tlibm.so.6 => /lib/libm.so.6 (0x00007fd4)\n\
            \tlibc.so.6 => /lib/libc.so.6 (0x00007fd5)\n\
            \t/lib64/ld-linux-x86-64.so.2 (0x00007fd6)\n";
        let (linker, libraries) = linked(trace);
        let commands = Commands { program: "/bin/partita".into(), linker, libraries };
        let folder = "/opt/partita/command";
        let linker = format!("{folder}/ld-linux-x86-64.so.2");
        let program = format!("{folder}/partita");
        let words = [&*linker, "--library-path", folder, &*program, "entrypoint"];
        assert_eq!(commands.entrypoint(), words);
        let sources: Vec<_> = commands.mounts().filter_map(|mount| mount.source).collect();
        let linker = "/lib64/ld-linux-x86-64.so.2";
        assert_eq!(sources, ["/bin/partita", linker, "/lib/libm.so.6", "/lib/libc.so.6"]);
    }

    #[test]
    fn a_static_one_is_started_as_it_is() {
        let (linker, libraries) = linked("partita 0.1.0\n");
        let commands = Commands { program: "/bin/partita".into(), linker, libraries };
        assert_eq!(commands.entrypoint(), ["/opt/partita/command/partita", "entrypoint"]);
        assert_eq!(commands.mounts().count(), 1);
    }
}
