//! Runs the command in a home and a folder of its own.

#![allow(clippy::expect_used, reason = "tests may panic")]
#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod executed;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What a command printed, and its exit code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A machine of its own: a home, a working directory, no Python.
pub(crate) struct Machine {
    pub(crate) folder: TempDir,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("work")).expect("a folder");
        std::fs::create_dir(folder.path().join("path")).expect("a folder");
        Self { folder }
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_partita"));
        command
            .args(words)
            .current_dir(self.work())
            .env_clear()
            .env("PARTITA_HOME", self.home())
            .env("HOME", self.folder.path())
            .env("PATH", self.folder.path().join("path"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        ended(&mut self.command(words))
    }

    /// Runs a command that must succeed, and returns what it wrote to standard output.
    pub(crate) fn ok(&self, words: &[&str]) -> String {
        let ended = self.run(words);
        assert_eq!(ended.code, 0, "{words:?}: {ended:?}");
        ended.stdout
    }

    /// Returns the JSON that a command writes.
    pub(crate) fn json(&self, words: &[&str]) -> serde_json::Value {
        let mut all = words.to_vec();
        all.extend(["--output", "json"]);
        serde_json::from_str(&self.ok(&all)).expect("JSON")
    }

    /// Checks that a command fails with `code` and one paragraph that has `part` in it.
    pub(crate) fn refuses(&self, words: &[&str], code: i32, part: &str) {
        let ended = self.run(words);
        assert_eq!((ended.code, ended.stdout.as_str()), (code, ""), "{words:?}: {ended:?}");
        assert!(
            ended.stderr.starts_with("error: ") && ended.stderr.contains(part),
            "{words:?}: {ended:?}"
        );
        assert!(!ended.stderr.contains("bug in Partita"), "{ended:?}");
    }

    /// Puts a program of this name and text beside nothing, and returns the folder it is in.
    ///
    /// A process of its own writes it: what is open for writing here while another test forks stays open
    /// in its child for a moment, and cannot be started meanwhile.
    pub(crate) fn program(&self, folder: &str, name: &str, text: &str) -> PathBuf {
        let folder = self.folder.path().join(folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join(name);
        let script = r#"printf %s "$1" > "$0" && chmod 755 "$0""#;
        let status = Command::new("/bin/sh").args(["-c", script]).arg(&path).arg(text).status();
        assert!(status.expect("a shell").success());
        folder
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.work().join(name), text).expect("a file");
    }
}

pub(crate) fn ended(command: &mut Command) -> Ended {
    let output = command.output().expect("the command starts");
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub(crate) fn text(path: &Path) -> String {
    path.display().to_string()
}
