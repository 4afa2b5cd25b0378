//! Homes, pipes, exit codes and shells.

#![allow(clippy::expect_used, reason = "tests may panic")]

mod support;

use std::process::Stdio;

use support::{Machine, ended, text};

#[test]
fn help_goes_to_standard_output_and_usage_errors_do_not() {
    let machine = Machine::new();
    assert!(machine.ok(&["--version"]).starts_with("partita "));
    assert!(machine.ok(&["runs", "--help"]).contains("resume"));
    assert!(!machine.home().exists(), "neither needs a home");
    let check = |words: &[&str]| {
        let ended = machine.run(words);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{words:?}: {ended:?}");
    };
    check(&[]);
    check(&["rnu"]);
    check(&["runs", "list", "--output", "xml"]);
    check(&["runs", "list", "--status", "fine"]);
    check(&["-q", "-v", "runs", "list"]);
}

#[test]
fn the_options_of_a_verb_come_before_those_of_every_verb() {
    let help = Machine::new().ok(&["run", "--help"]);
    let place = |option: &str| help.find(option).expect(option);
    let options =
        ["--param", "--config", "--stack", "--no-cache", "--name", "--quiet", "--verbose"];
    assert!(options.is_sorted_by_key(|option| place(option)), "{help}");
}

#[test]
fn a_reader_that_goes_away_ends_the_command_quietly() {
    let machine = Machine::new();
    let check = |words: &[&str]| {
        let mut child = machine
            .command(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*said), (Some(0), ""), "{words:?}");
    };
    check(&["completions", "zsh"]);
    check(&["--help"]);
    check(&["stack", "list"]);
    check(&["runs", "list", "--output", "json"]);
}

#[test]
fn a_full_standard_output_is_an_error() {
    let machine = Machine::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
    let ended = ended_with(&machine, full);
    assert_eq!(ended.0, Some(1));
    assert!(ended.1.contains("standard output cannot be written to"), "{}", ended.1);
}

fn ended_with(machine: &Machine, stdout: std::fs::File) -> (Option<i32>, String) {
    let output = machine.command(&["stack", "list"]).stdout(stdout).stderr(Stdio::piped()).spawn();
    let output = output.and_then(std::process::Child::wait_with_output).expect("it ends");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_store_that_cannot_be_reached_has_an_exit_code_of_its_own() {
    let machine = Machine::new();
    let path = machine.work().join("loop");
    std::os::unix::fs::symlink(&path, &path).expect("a link to itself");
    let path = format!("--path={}", text(&path));
    machine.ok(&["artifact-store", "register", "far", "--flavor=local", &path]);
    machine.refuses(&["store", "rebuild", "--artifact-store", "far"], 3, "cannot be opened");
}

#[test]
fn a_home_that_cannot_be_one_is_said() {
    let machine = Machine::new();
    machine.write("file", "");
    let home = text(&machine.work().join("file/home"));
    let ended = ended(machine.command(&["runs", "list"]).env("PARTITA_HOME", &home));
    assert_eq!((ended.code, ended.stdout.as_str()), (1, ""), "{ended:?}");
    assert!(ended.stderr.contains("set `PARTITA_HOME` to a folder"), "{ended:?}");
}

#[test]
fn without_a_named_home_the_data_folder_is_used() {
    let machine = Machine::new();
    let ended = ended(machine.command(&["store", "path"]).env_remove("PARTITA_HOME"));
    assert_eq!(ended.stdout.trim(), text(&machine.folder.path().join(".local/share/partita")));
    let ended = support::ended(machine.command(&["store", "path"]).env("PARTITA_HOME", ""));
    assert_eq!(ended.stdout.trim(), text(&machine.folder.path().join(".local/share/partita")));
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let machine = Machine::new();
    machine.ok(&["stack", "list"]);
    let database =
        rusqlite::Connection::open(machine.home().join("metadata.db")).expect("a database");
    database.pragma_update(None, "user_version", 99).expect("it is changed");
    machine.refuses(&["stack", "list"], 1, "has version 99");
    let doctor = machine.run(&["doctor"]);
    assert!(doctor.code == 1 && doctor.stdout.contains("has version 99"), "{doctor:?}");
    let version: i64 =
        database.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("a version");
    assert_eq!(version, 99);
}

#[test]
fn a_file_that_is_no_database_is_said() {
    let machine = Machine::new();
    std::fs::create_dir(machine.home()).expect("a folder");
    std::fs::write(
        machine.home().join("metadata.db"),
        "not a database, though it is long enough for one".repeat(50),
    )
    .expect("a file");
    machine.refuses(&["stack", "list"], 1, "partita store rebuild");
}

#[test]
fn init_marks_a_folder_once_and_keeps_what_is_there() {
    let machine = Machine::new();
    machine.ok(&["init", "new/project"]);
    let config = machine.work().join("new/project/.partita/config.toml");
    std::fs::write(&config, "stack = \"mine\"\n").expect("it is written");
    let again = machine.run(&["init", "new/project"]);
    assert!(again.code == 0 && again.stderr.contains("already"), "{again:?}");
    assert_eq!(std::fs::read_to_string(&config).expect("a file"), "stack = \"mine\"\n");
    machine.write("file", "");
    machine.refuses(&["init", "file"], 1, "cannot be marked");
    assert_eq!(machine.run(&["-q", "init", "other"]).stderr, "");
}

#[test]
fn a_configuration_file_that_is_no_toml_is_named() {
    let machine = Machine::new();
    machine.ok(&["init"]);
    std::fs::write(machine.work().join(".partita/config.toml"), "stack = [")
        .expect("it is written");
    machine.refuses(&["stack", "get"], 1, ".partita/config.toml`:1: it is not valid TOML: ");
}

#[test]
fn mistakes_in_a_configuration_file_are_named_with_their_line() {
    let machine = Machine::new();
    machine.ok(&["init"]);
    let check = |text: &str, part: &str| {
        std::fs::write(machine.work().join(".partita/config.toml"), text).expect("it is written");
        machine.refuses(&["stack", "describe"], 1, part);
    };
    check("\nstak = 'x'", "config.toml`:2: `stak` is not a key of it; did you mean `stack`?");
    check("zebra = 1", "config.toml`:1: `zebra` is not a key of it; its only key is `stack`");
    check("# a\n\nstack = 1", "config.toml`:3: `stack` takes a text, not `1`");
    check(
        "stack = 'gone'",
        "config.toml` makes `gone` the active stack, and there is no such stack",
    );
    machine.refuses(&["stack", "describe", "gone"], 1, "there is no stack `gone`; ");
}

#[test]
fn the_store_of_an_empty_home_can_be_looked_after() {
    let machine = Machine::new();
    assert!(machine.run(&["store", "gc"]).stderr.contains("nothing to remove"));
    assert!(machine.run(&["store", "rebuild"]).stderr.contains("0 runs are back"));
    machine.refuses(&["store", "rebuild", "--artifact-store", "/gone"], 1, "--path=/gone");
    machine.ok(&["store", "rebuild", "--artifact-store", &text(&machine.home().join("store"))]);
}

#[test]
fn doctor_says_what_to_do_in_every_format() {
    let machine = Machine::new();
    let ended = machine.run(&["doctor", "--output", "json"]);
    let checks: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let python =
        checks.as_array().and_then(|all| all.iter().find(|check| check["name"] == "python"));
    assert_eq!(python.map(|check| &check["verdict"]), Some(&"problem".into()), "{checks}");
    assert_eq!((ended.code, ended.stderr.as_str()), (1, ""));
}

#[test]
fn doctor_tells_of_an_engine_that_is_not_there() {
    let machine = Machine::new();
    let engine = "unix:///nowhere/docker.sock";
    let host = format!("--host={engine}");
    machine.ok(&["orchestrator", "register", "boxed", "--flavor=docker", &host]);
    machine.ok(&["stack", "register", "boxed", "-o", "boxed", "-a", "default", "--set"]);
    let doctor = machine.run(&["doctor", "--output", "json"]);
    let checks: Vec<serde_json::Value> = serde_json::from_str(&doctor.stdout).expect("JSON");
    let found = checks.iter().find(|check| check["name"] == "engine").expect("a check");
    let message = found["message"].as_str().unwrap_or_default();
    assert_eq!((doctor.code, &found["verdict"]), (1, &"problem".into()), "{found}");
    assert!(message.contains(&format!("at `{engine}` cannot be reached")), "{message}");
    assert!(message.contains("start it, or say where it is"), "{message}");
}
