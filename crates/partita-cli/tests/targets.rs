//! How a pipeline written in Python is handed to Python, and what is refused before.

#![allow(clippy::expect_used, reason = "tests may panic")]

mod support;

use serde_json::json;
use support::{Machine, ended, text};

/// A Python that says what it was given.
const ECHO: &str = "#!/bin/sh\nfor word in \"$@\"; do echo \"$word\"; done\nexit 7\n";

#[test]
fn the_active_environment_is_used_first() {
    let machine = Machine::new();
    let bin = machine.program("venv/bin", "python3", ECHO);
    machine.program("path", "python3", "#!/bin/sh\nexit 9\n");
    machine.program("venv/lib/python3.11/site-packages/partita", "__main__.py", "");
    machine.write("train.py", "");
    let mut command = machine.command(&[
        "run",
        "train.py:wine",
        "--param",
        "depth=5",
        "-p",
        "note=a=b",
        "--no-cache",
        "--name",
        "x y",
        "-q",
    ]);
    let ended = ended(command.env("VIRTUAL_ENV", text(bin.parent().expect("a folder"))));
    let words: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!((ended.code, &words[..3]), (7, &["-m", "partita", "run"][..]), "{ended:?}");
    let request: serde_json::Value = serde_json::from_str(words[3]).expect("JSON");
    assert_eq!(
        request,
        json!({
            "target": "train.py:wine", "source_root": null, "parameters": { "depth": "5", "note": "a=b" },
            "config": null, "stack": null, "enable_cache": false, "run_name": "x y", "run_id": null,
            "from_step": null, "detach": false,
            "output": null, "format": null, "quiet": true, "verbose": false,
        })
    );
}

#[test]
fn a_python_without_the_package_is_told_apart() {
    let machine = Machine::new();
    machine.write("train.py", "");
    machine.program("path", "python3", "#!/bin/sh\nexit 1\n");
    machine.refuses(&["run", "train.py"], 1, "-m pip install partita");
    machine.program("path", "python3", "no program\n");
    machine.refuses(&["run", "train.py"], 1, "");
}

#[test]
fn a_file_that_hides_the_package_is_told_of() {
    let machine = Machine::new();
    machine.write("train.py", "");
    machine.write("partita.py", "");
    machine.program("path", "python3", ECHO);
    for target in ["train.py", "partita.py"] {
        machine.refuses(&["run", target], 1, "`partita.py` in this folder hides the package");
    }
}

#[test]
fn no_python_at_all_is_said() {
    let machine = Machine::new();
    machine.write("train.py", "");
    machine.refuses(&["plan", "train.py"], 1, "there is no Python");
}

#[test]
fn wrong_targets_are_refused_before_python_starts() {
    let machine = Machine::new();
    machine.write("train.py", "");
    machine.write("e.py", "");
    machine.write("notes.txt", "");
    machine.program("work", "train", ECHO);
    std::fs::create_dir(machine.work().join("folder.py")).expect("a folder");
    let check = |target: &str, part: &str| machine.refuses(&["run", target], 2, part);
    check("trian.py", "did you mean `train.py`?");
    check("trian.py:wine", "did you mean `train.py`?");
    check(
        "gone.py",
        "TARGET `gone.py` does not exist; check its path, which starts in the working directory.\n",
    );
    check("./tain.py", "did you mean `./train.py`?");
    check("folder.py", "is a folder");
    check(".", "is a folder");
    check("notes.txt", "not a Python file");
    check("./train", "not a Python file");
    check("train.py:", "names no pipeline");
    check("", "TARGET is empty");
    check("a b", "neither a file nor the name of a Python module");
    check("gone/\x1b[2J.py", r"\u{1b}[2J");
    machine.refuses(&["run", "train.py", "--param", "depth"], 2, "`--param depth=5`");
    machine.refuses(&["run", "train.py", "--config", "gone.yaml"], 2, "`gone.yaml` does not exist");
}

#[test]
fn a_target_in_a_folder_above_is_offered_as_it_is_reached_from_here() {
    let machine = Machine::new();
    machine.ok(&["init"]);
    machine.write("train.py", "");
    std::fs::create_dir_all(machine.work().join("a/b")).expect("a folder");
    let check = |target: &str, end: &str| {
        let ended =
            ended(machine.command(&["run", target]).current_dir(machine.work().join("a/b")));
        assert_eq!(ended.code, 2);
        assert!(ended.stderr.ends_with(end), "{ended:?}");
    };
    check("train.py", "did you mean `../../train.py`?\n");
    check("train.py:wine", "did you mean `../../train.py`?\n");
    check(
        "gone.py",
        "TARGET `gone.py` does not exist; check its path, which starts in the working directory.\n",
    );
}

#[test]
fn a_parameter_that_is_no_option_is_told_how_to_be_one() {
    let machine = Machine::new();
    let check = |words: &[&str], help: Option<&str>| {
        let ended = machine.run(words);
        let found = ended.stderr.lines().find_map(|line| line.strip_prefix("help: "));
        assert_eq!((ended.code, found), (2, help), "{ended:?}");
    };
    let help = "a parameter of the pipeline is given as `--param count=3`";
    check(&["run", "train.py", "count=3"], Some(help));
    check(&["plan", "train.py", "--count=3"], Some(help));
    check(&["runs", "resume", "latest", "count=3"], Some(help));
    let help = "a parameter of the pipeline is given as `--param count=VALUE`";
    check(&["compile", "train.py", "--count", "3"], Some(help));
    check(&["run", "train.py", "--parm", "count=3"], None);
    check(&["run", "train.py", "more.py"], None);
    check(&["stack", "list", "count=3"], None);
}
