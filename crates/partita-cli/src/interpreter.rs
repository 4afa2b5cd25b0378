//! Finds the Python that runs a pipeline: the active environment's, else the one that the command
//! was installed with, else the one on the path.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{CommandError, FAILED};

/// A Python, and why it is the one.
#[derive(Debug, Clone)]
pub struct Interpreter {
    /// The program.
    pub path: PathBuf,
    /// Why it was chosen, as in `the active environment`.
    pub why: String,
}

/// Returns the Python for pipelines of this shell.
pub fn find() -> Result<Interpreter, CommandError> {
    for variable in ["VIRTUAL_ENV", "CONDA_PREFIX"] {
        let Some(prefix) = std::env::var_os(variable).filter(|prefix| !prefix.is_empty()) else {
            continue;
        };
        if let Some(path) = python_in(&Path::new(&prefix).join("bin")) {
            return Ok(Interpreter { path, why: format!("the active environment, `{variable}`") });
        }
    }
    let beside = std::env::current_exe().ok().and_then(|own| python_in(own.parent()?));
    if let Some(path) = beside {
        return Ok(Interpreter {
            path,
            why: "the environment that `partita` is installed in".to_owned(),
        });
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&folders)
        .filter(|folder| folder.is_absolute())
        .find_map(|folder| python_in(&folder));
    match on_path {
        Some(path) => Ok(Interpreter { path, why: "the first one on `PATH`".to_owned() }),
        None => Err(CommandError::failed(
            "there is no Python: none is active, none is beside `partita`, and none is on `PATH`",
        )
        .help("activate the virtual environment that has Partita's package, and try again")),
    }
}

/// Returns the `partita` command that came with the package of a Python: beside it, or on the path.
pub fn command_of(interpreter: &Path) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let beside = interpreter.parent().map(Path::to_owned);
    let mut folders = beside.into_iter().chain(std::env::split_paths(&folders));
    folders.find_map(|folder| Some(folder.join("partita")).filter(|path| is_program(path)))
}

/// Returns the Python in a folder of programs.
fn python_in(folder: &Path) -> Option<PathBuf> {
    ["python3", "python"].iter().map(|name| folder.join(name)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    path.is_file() && nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).is_ok()
}

/// What keeps a question to Python from being answered by the modules of the current folder.
const NOT_HERE: &str = "import sys; sys.path[:1] == [''] and sys.path.pop(0)\n";

impl Interpreter {
    /// Checks that this Python has Partita's package; only where that cannot be seen it is asked.
    pub fn check_package(&self) -> Result<(), CommandError> {
        if self.site_folders().iter().any(|folder| has_package(folder)) {
            return Ok(());
        }
        let look = "import importlib.util; sys.exit(importlib.util.find_spec('partita') is None)";
        let status = Command::new(&self.path)
            .args(["-c", &format!("{NOT_HERE}{look}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(|error| self.cannot_start(&error))?;
        if status.success() {
            return Ok(());
        }
        let path = self.path.display();
        Err(CommandError::failed(format!("`{path}` ({}) has no package `partita`", self.why)).help(format!(
            "install it there with `{path} -m pip install partita`, or activate the environment that has it"
        )))
    }

    /// Returns the version of Partita's package, or `None` if it is used without being installed.
    pub fn package_version(&self) -> Result<Option<String>, CommandError> {
        let ask = "import importlib.metadata, partita._engine\n\
                   print(*(one.version for one in importlib.metadata.distributions(name='partita')))";
        let output = Command::new(&self.path)
            .args(["-c", &format!("{NOT_HERE}{ask}")])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| self.cannot_start(&error))?;
        if output.status.success() {
            let printed = String::from_utf8_lossy(&output.stdout);
            return Ok(printed.split_whitespace().next().map(str::to_owned));
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.trim().lines().last().unwrap_or("it said nothing").to_owned();
        Err(CommandError::failed(format!(
            "`{}` cannot load the package `partita`: {last}",
            self.path.display()
        )))
    }

    /// Returns the error for a Python that does not start.
    pub fn cannot_start(&self, error: &std::io::Error) -> CommandError {
        CommandError::Failed {
            code: FAILED,
            message: format!("`{}` ({}) cannot be started: {error}", self.path.display(), self.why),
            help: Some(
                "activate an environment whose Python works and has the package `partita`"
                    .to_owned(),
            ),
        }
    }

    fn site_folders(&self) -> Vec<PathBuf> {
        let Some(prefix) = self.path.parent().and_then(Path::parent) else { return Vec::new() };
        let Ok(versions) = fs::read_dir(prefix.join("lib")) else { return Vec::new() };
        let is_python = |name: &OsStr| name.to_string_lossy().starts_with("python3");
        versions
            .flatten()
            .filter(|entry| is_python(&entry.file_name()))
            .map(|entry| entry.path().join("site-packages"))
            .collect()
    }
}

fn has_package(site: &Path) -> bool {
    site.join("partita/__main__.py").is_file() || site.join("partita.pth").is_file()
}
