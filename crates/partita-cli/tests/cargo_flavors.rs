//! Flavors that come in packages of cargo, which builds them for real, from a registry in a folder.

#![allow(clippy::expect_used, reason = "tests may panic")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use support::{Ended, Machine, ended, text};

/// An orchestrator without any dependency: it answers what registration asks.
const MAIN: &str = r##"
use std::io::{BufRead, Write};

fn between<'l>(line: &'l str, before: &str, after: char) -> &'l str {
    let rest = line.split(before).nth(1).unwrap_or_default();
    rest.split(after).next().unwrap_or_default()
}

fn main() {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let id = between(&line, r#""id":"#, ',');
        let result = match between(&line, r#""method":""#, '"') {
            "hello" => r#"{"protocol":1}"#,
            "describe" => r#"{"name":"FLAVOR","type":"orchestrator","config_schema":{"type":"object","properties":{"VERSION":{"type":"string"}}}}"#,
            _ => r#"{"problems":[]}"#,
        };
        println!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
        std::io::stdout().flush().unwrap();
    }
}
"##;

/// A machine with cargo, whose only registry is a folder.
struct Cargo(Machine);

impl Cargo {
    fn new() -> Self {
        let cargo = Self(Machine::new());
        let registry = cargo.folder("registry");
        let config = format!(
            "[source.crates-io]\nreplace-with = \"folder\"\n[source.folder]\ndirectory = \"{}\"\n",
            text(&registry)
        );
        fs::write(cargo.folder("cargo").join("config.toml"), config).expect("a file");
        cargo
    }

    fn folder(&self, name: &str) -> std::path::PathBuf {
        let folder = self.0.folder.path().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    /// Publishes a version of the package `my-orchestrator`.
    fn publish(&self, version: &str, main: &str) {
        let folder = self.folder(&format!("registry/my-orchestrator-{version}/src"));
        let root = folder.parent().expect("a folder");
        let package = format!("name = \"my-orchestrator\"\nversion = \"{version}\"\n");
        let manifest = format!("[package]\n{package}edition = \"2024\"\n");
        let lock = format!("version = 4\n\n[[package]]\n{package}");
        for (path, text) in [
            ("Cargo.toml", manifest.as_str()),
            ("Cargo.lock", &lock),
            ("src/main.rs", main),
            (".cargo-checksum.json", r#"{"files":{}}"#),
        ] {
            fs::write(root.join(path), text).expect("a file");
        }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.0.command(words);
        let toolchain = Path::new(env!("CARGO")).parent().expect("a folder");
        command
            .env("PATH", format!("{}:/usr/bin:/bin", text(toolchain)))
            .env("CARGO_HOME", self.folder("cargo"));
        command
    }

    fn run(&self, words: &[&str]) -> Ended {
        ended(&mut self.command(&[&["orchestrator", "flavor"], words].concat()))
    }

    fn ok(&self, words: &[&str]) -> String {
        let ended = self.run(words);
        assert_eq!(ended.code, 0, "{words:?}: {ended:?}");
        ended.stdout
    }

    fn refuses(&self, words: &[&str], code: i32, part: &str) {
        let ended = self.run(words);
        let last = ended.stderr.lines().last().unwrap_or_default();
        assert_eq!(ended.code, code, "{words:?}: {ended:?}");
        assert!(last.starts_with("error: ") && last.contains(part), "{words:?}: {ended:?}");
    }

    /// Returns the executable of the flavor `built`.
    fn source(&self) -> String {
        let described = self.ok(&["describe", "built", "--output=json"]);
        let described: serde_json::Value = serde_json::from_str(&described).expect("JSON");
        described["source"].as_str().expect("a path").to_owned()
    }

    /// Returns how many packages are installed in the home.
    fn installed(&self) -> usize {
        fs::read_dir(self.0.home().join("plugins")).map_or(0, Iterator::count)
    }
}

fn program(version: &str) -> String {
    MAIN.replace("FLAVOR", "built").replace("VERSION", version)
}

#[test]
fn a_package_is_built_kept_changed_and_removed() {
    let cargo = Cargo::new();
    cargo.publish("1.2.3", &program("one"));
    cargo.publish("2.0.0", &program("two"));
    cargo.ok(&["register", "cargo:my-orchestrator@1.2.3"]);
    let described = cargo.ok(&["describe", "built"]);
    assert!(
        described.contains("my-orchestrator@1.2.3") && described.contains("one"),
        "{described}"
    );
    let first = cargo.source();
    assert!(Path::new(&first).starts_with(cargo.0.home().join("plugins")), "{first}");
    cargo.ok(&["update", "built"]);
    assert_eq!(cargo.source(), first);

    cargo.ok(&["update", "built", "cargo:my-orchestrator@2.0.0"]);
    let described = cargo.ok(&["describe", "built"]);
    assert!(
        described.contains("my-orchestrator@2.0.0") && described.contains("two"),
        "{described}"
    );
    assert!(!Path::new(&first).exists());
    assert_eq!(cargo.installed(), 1);

    // A second one of its name is refused, and takes nothing with it.
    cargo.refuses(&["register", "cargo:my-orchestrator@1.2.3"], 1, "flavor update built");
    assert_eq!(cargo.installed(), 1);
    cargo.ok(&["delete", "built"]);
    assert_eq!(cargo.installed(), 0);
}

#[test]
fn a_changed_executable_of_a_package_is_not_started() {
    let cargo = Cargo::new();
    cargo.publish("1.2.3", &program("one"));
    cargo.ok(&["register", "cargo:my-orchestrator@1.2.3"]);
    fs::write(cargo.source(), "#!/bin/sh\n").expect("a file");
    let words = ["orchestrator", "register", "it", "--flavor=built", "--one=a"];
    let done = ended(&mut cargo.command(&words));
    assert!(done.stderr.contains("has changed since"), "{done:?}");
}

#[test]
fn what_cargo_does_not_build_is_refused_in_its_words_and_leaves_nothing() {
    let cargo = Cargo::new();
    let check = |version: &str, main: &str, part: &str| {
        cargo.publish(version, main);
        cargo.refuses(&["register", &format!("cargo:my-orchestrator@{version}")], 1, part);
        assert_eq!(cargo.installed(), 0, "{part}");
        let flavors = cargo.ok(&["list", "--output=json"]);
        assert!(!flavors.contains("plugins"), "{flavors}");
    };
    check("3.0.0", "fn main() { nonsense() }", "cannot find function `nonsense`");
    check("4.0.0", "fn main() {}", "ended with exit code 0");
    check("5.0.0", &MAIN.replace("FLAVOR", "local"), "built-in orchestrator flavor `local`");
    cargo.refuses(
        &["register", "cargo:my-orchestrator@9.9.9"],
        1,
        "could not find `my-orchestrator`",
    );
    cargo.refuses(&["register", "cargo:nowhere@1.0.0"], 1, "could not find `nowhere`");
}

#[test]
fn a_package_without_an_executable_is_refused_in_one_paragraph() {
    let cargo = Cargo::new();
    cargo.publish("6.0.0", "fn main() {}");
    let source = cargo.folder("registry/my-orchestrator-6.0.0/src");
    fs::rename(source.join("main.rs"), source.join("lib.rs")).expect("renamed");
    let ended = cargo.run(&["register", "cargo:my-orchestrator@6.0.0"]);
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(
        last.contains("`my-orchestrator@6.0.0` is a library: it has no executable"),
        "{ended:?}"
    );
    assert_eq!((ended.code, cargo.installed()), (1, 0));
}

#[test]
fn a_build_that_is_interrupted_leaves_nothing() {
    let cargo = Cargo::new();
    cargo.publish("7.0.0", "fn main() {}");
    let begun = cargo.folder("home").join("begun");
    let root = cargo.folder("registry/my-orchestrator-7.0.0");
    let waits = format!(
        "fn main() {{ std::fs::write({begun:?}, \"\").unwrap(); loop {{ std::thread::park() }} }}"
    );
    fs::write(root.join("build.rs"), waits).expect("a file");
    let words = ["orchestrator", "flavor", "register", "cargo:my-orchestrator@7.0.0"];
    let mut command = cargo.command(&words);
    let command = command.stderr(std::process::Stdio::null()).spawn();
    let mut command = command.expect("started");
    let end = Instant::now() + Duration::from_secs(120);
    while !begun.exists() {
        assert!(Instant::now() < end && command.try_wait().expect("asked").is_none());
        std::thread::yield_now();
    }
    assert_eq!(cargo.installed(), 1);
    let pid = Pid::from_raw(i32::try_from(command.id()).expect("a pid"));
    kill(pid, Signal::SIGINT).expect("signalled");
    assert_eq!(command.wait().expect("ended").code(), Some(130));
    assert_eq!(cargo.installed(), 0);
}

#[test]
fn a_package_is_named_with_its_version() {
    let machine = Machine::new();
    let check = |source: &str, code: i32, part: &str| {
        machine.refuses(&["orchestrator", "flavor", "register", source], code, part);
    };
    check("cargo:my-orchestrator", 2, "write `cargo:my-orchestrator@VERSION`");
    check("cargo:my-orchestrator@", 2, "write `cargo:my-orchestrator@VERSION`");
    check("cargo:", 2, "write `cargo:PACKAGE@VERSION`");
    check("cargo:--git=https://a.b@1.0.0", 2, "write `cargo:PACKAGE@VERSION`");
    check("cargo:a@--git", 2, "does not say which version");
    for version in ["1", "1.2", "^1.2.3", "1.x.0", "1.2.3.4"] {
        check(&format!("cargo:a@{version}"), 2, "as in `cargo:a@1.2.3`");
    }
    let done = machine.run(&["orchestrator", "flavor", "register", "cargo:my-orchestrator@1.2.3"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stderr.contains("is built with cargo, which cannot be started"), "{done:?}");
}
