//! Flavors that come in packages of cargo: built into the home, and removed from it again.
//!
//! Each is installed into a folder of its own, so that the one before it stays as it is until the
//! registry has the new one.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use partita_core::stack::{Flavor, Origin};
use tempfile::TempDir;

use super::ending::Ending;
use crate::context::Context;
use crate::error::{CANCELLED, CommandError};

/// What a source begins with that is a package.
pub(super) const SCHEME: &str = "cargo:";

/// The folder of the home with what was installed.
const FOLDER: &str = "plugins";

/// Bytes of what cargo says that an error shows.
const SHOWN: usize = 2000;

/// What cargo says of a package without an executable.
const NO_BINARY: &str = "there is nothing to install";

/// Where cargo builds, below the folder of the package; it does not stay.
const TARGET: &str = "target";

/// The time between two looks for what asks this process to end.
const LOOKS: Duration = Duration::from_millis(50);

/// A package of one version.
pub(super) struct Package {
    name: String,
    version: String,
}

/// A package that is installed; it is removed again unless it is kept.
pub(crate) struct Installed {
    folder: TempDir,
    /// Its executable.
    pub(super) executable: PathBuf,
}

impl Installed {
    /// Has it stay.
    pub(crate) fn keep(self) {
        let _ = self.folder.keep();
    }
}

impl Package {
    /// Reads what follows `cargo:` in a source.
    pub(super) fn read(text: &str) -> Result<Self, CommandError> {
        let (name, version) = text.split_once('@').unwrap_or((text, ""));
        let is_made_of = |text: &str, marks: &str| {
            text.starts_with(|c: char| c.is_ascii_alphanumeric())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || marks.contains(c))
        };
        if !is_made_of(name, "-_") {
            return Err(CommandError::usage(format!(
                "`{SCHEME}{text}` names no package; write `{SCHEME}PACKAGE@VERSION`, as in `{SCHEME}my-orchestrator@1.2.3`"
            )));
        }
        let release = version.split(['-', '+']).next().unwrap_or_default();
        let is_whole = release.split('.').count() == 3
            && release.split('.').all(|part| part.parse::<u64>().is_ok());
        if !is_made_of(version, ".-+") || !is_whole {
            return Err(CommandError::usage(format!(
                "`{SCHEME}{text}` does not say which version of `{name}` is meant, in three numbers; write `{SCHEME}{name}@VERSION`, as in `{SCHEME}{name}@1.2.3`"
            )));
        }
        Ok(Self { name: name.to_owned(), version: version.to_owned() })
    }

    /// Builds it with cargo, into the home, as its own lock file says.
    pub(super) fn install(&self, context: &Context) -> Result<Installed, CommandError> {
        let folder = self.folder(&context.session()?.home().path().join(FOLDER))?;
        context.say(&format!("building `{self}` with cargo, which may take minutes"));
        let built = self.build(folder.path(), context).map_err(|error| {
            CommandError::failed(format!(
                "`{SCHEME}{self}` is built with cargo, which cannot be started: {error}; install Rust, or register an executable by its path"
            ))
        })?;
        match built {
            Built::Done => {}
            Built::Interrupted => return Err(CommandError::Told(CANCELLED)),
            Built::Failed(said) if said.contains(NO_BINARY) => {
                return Err(CommandError::failed(format!(
                    "`{self}` is a library: it has no executable that could be an orchestrator; name a package that has one, or depend on it in one of your own"
                )));
            }
            Built::Failed(said) => {
                return Err(CommandError::failed(format!(
                    "cargo does not install `{self}`; it says: {said}"
                )));
            }
        }
        let executable = self.executable(&folder.path().join("bin"))?;
        Ok(Installed { folder, executable })
    }

    fn folder(&self, plugins: &Path) -> Result<TempDir, CommandError> {
        let prefix = format!("{}-{}.", self.name, self.version);
        fs::create_dir_all(plugins)
            .and_then(|()| tempfile::Builder::new().prefix(&prefix).tempdir_in(plugins))
            .map_err(|error| {
                let plugins = plugins.display();
                CommandError::failed(format!("`{plugins}` cannot be written to: {error}"))
            })
    }

    /// Runs cargo to its end, or until somebody interrupts this.
    fn build(&self, root: &Path, context: &Context) -> io::Result<Built> {
        let ending = Ending::hold(|| {})?;
        let target = root.join(TARGET);
        let mut cargo = Command::new("cargo")
            .args(["install", "--locked", "--color=never", "--root"])
            .arg(root)
            .arg("--target-dir")
            .arg(&target)
            .arg(self.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0) // All that it starts is ended with it.
            .spawn()?;
        let lines = lines_of(&mut cargo);
        let mut said = Vec::new();
        loop {
            match lines.recv_timeout(LOOKS) {
                Ok(line) => {
                    if context.verbose {
                        context.say(&line);
                    }
                    said.push(line);
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if ending.is_asked() {
                let group = i32::try_from(cargo.id()).map(Pid::from_raw);
                let _ = group.map(|group| killpg(group, Signal::SIGKILL));
                cargo.wait()?;
                return Ok(Built::Interrupted);
            }
        }
        let succeeded = cargo.wait()?.success();
        let _ = fs::remove_dir_all(target);
        Ok(if succeeded { Built::Done } else { Built::Failed(reason(&said)) })
    }

    /// Returns its executable: the only one, or the one that is called like it.
    fn executable(&self, bin: &Path) -> Result<PathBuf, CommandError> {
        let names: Vec<String> = fs::read_dir(bin)
            .map(|entries| {
                entries.flatten().filter_map(|entry| entry.file_name().into_string().ok())
            })
            .map(Iterator::collect)
            .unwrap_or_default();
        match names.as_slice() {
            [only] => Ok(bin.join(only)),
            names if names.contains(&self.name) => Ok(bin.join(&self.name)),
            names => Err(CommandError::failed(format!(
                "the package `{self}` has the executables `{}`, and none that is called `{}`; install it with cargo, and register the one that is meant by its path",
                names.join("`, `"),
                self.name
            ))),
        }
    }
}

impl std::fmt::Display for Package {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// What came of building a package.
enum Built {
    Done,
    /// Cargo says why.
    Failed(String),
    /// Somebody asked this process to end.
    Interrupted,
}

/// Returns what a process says, line by line, until it ends.
fn lines_of(process: &mut Child) -> Receiver<String> {
    let (lines, said) = channel();
    let stderr = process.stderr.take();
    std::thread::spawn(move || {
        let all = stderr.map(BufReader::new).into_iter().flat_map(BufRead::lines);
        all.map_while(Result::ok).try_for_each(|line| lines.send(line))
    });
    said
}

/// Returns the errors among what cargo said, in one paragraph.
fn reason(said: &[String]) -> String {
    let is_error = |line: &&String| line.trim_start().starts_with("error");
    let first = said.iter().position(|line| is_error(&line)).unwrap_or(0);
    let lines = said[first..].iter().map(|line| line.trim()).filter(|line| !line.is_empty());
    let mut reason = lines.collect::<Vec<_>>().join(" ");
    if reason.len() > SHOWN {
        reason.truncate(reason.floor_char_boundary(SHOWN));
        reason.push('…');
    }
    reason
}

/// Removes what was installed for a flavor that the registry no longer has.
pub(crate) fn remove(flavor: &Flavor, context: &Context) -> Result<(), CommandError> {
    let origin = flavor.plugin.as_ref().map(|plugin| &plugin.origin);
    let Some(Origin::Executable { package: Some(package), .. }) = origin else { return Ok(()) };
    let plugins = context.session()?.home().path().join(FOLDER);
    let folder = Path::new(&flavor.source).ancestors().nth(2);
    let Some(folder) = folder.filter(|folder| folder.parent() == Some(&plugins)) else {
        return Ok(()); // The home has moved since.
    };
    fs::remove_dir_all(folder).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(CommandError::failed(format!(
            "`{}`, where `{package}` was installed, cannot be removed: {error}",
            folder.display()
        ))),
    })
}
