//! `partita orchestrator flavor new`: what it writes, and where it writes nothing. That the result works
//! is tested in `python/tests/test_new_flavors.py`.

#![allow(clippy::expect_used, reason = "tests may panic")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::Machine;

const NEW: [&str; 3] = ["orchestrator", "flavor", "new"];

/// Returns the files below a folder, sorted, by their paths in it.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(folder.join(&inner)).expect("a folder") {
            let entry = entry.expect("an entry");
            let path = inner.join(entry.file_name());
            match entry.path().is_dir() {
                true => folders.push(path),
                false => found.push(path.display().to_string()),
            }
        }
    }
    found.sort();
    found
}

fn check(language: &str, name: &str, expected: &[&str], part: (&str, &str)) {
    let machine = Machine::new();
    let done = machine.run(&[&NEW[..], &[name, "--language", language]].concat());
    assert_eq!((done.code, done.stdout.as_str()), (0, ""), "{done:?}");
    let folder = machine.work().join(name);
    assert_eq!(files(&folder), expected);
    let text = |path: &str| fs::read_to_string(folder.join(path)).expect("a file");
    for path in expected {
        for word in ["my-flavor", "my_flavor", "MyFlavor"] {
            assert!(name.starts_with("my") || !text(path).contains(word), "{path}");
        }
    }
    assert!(text(part.0).contains(part.1), "{}", text(part.0));
}

#[test]
fn a_flavor_in_python_has_its_name_everywhere() {
    let files = |module: &str| {
        [
            ".partita/config.toml".to_owned(),
            "README.md".to_owned(),
            "flavors/__init__.py".to_owned(),
            format!("flavors/{module}.py"),
            format!("flavors/{module}_config.py"),
            format!("flavors/{module}_orchestrator.py"),
            format!("tests/test_{module}.py"),
            "train.py".to_owned(),
        ]
    };
    let check = |name: &str, module: &str, class: &str| {
        let expected = files(module);
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        let source = format!("flavors.{module}.{class}OrchestratorFlavor");
        check("python", name, &expected, ("README.md", &source));
    };
    check("day-queue", "day_queue", "DayQueue");
    check("my_flavor_2", "my_flavor_2", "MyFlavor2");
}

#[test]
fn a_flavor_in_rust_depends_on_the_checkout_that_the_command_is_of() {
    let crate_of_partita = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("crates");
    let dependency = format!(
        "partita = {{ path = \"{}\", default-features = false }}",
        crate_of_partita.join("partita").display()
    );
    let expected = [
        ".gitignore",
        ".partita/config.toml",
        "Cargo.toml",
        "README.md",
        "src/config.rs",
        "src/main.rs",
        "src/orchestrator.rs",
        "train.py",
    ];
    check("rust", "spool", &expected, ("Cargo.toml", &dependency));
    let machine = Machine::new();
    let done = machine.run(&[&NEW[..], &["spool", "--language=rust"]].concat());
    assert!(done.stderr.contains("depends on the crate `partita` in `/"), "{done:?}");
}

#[test]
fn nothing_is_overwritten() {
    let machine = Machine::new();
    for name in ["file", "folder"] {
        match name {
            "file" => machine.write(name, "mine"),
            _ => fs::create_dir(machine.work().join(name)).expect("a folder"),
        }
        machine.refuses(&[&NEW[..], &[name]].concat(), 1, "nothing is overwritten");
    }
    assert_eq!(files(&machine.work()), ["file"]);
    assert_eq!(fs::read_to_string(machine.work().join("file")).expect("a file"), "mine");
}

#[test]
fn a_name_that_a_language_does_not_take_is_refused() {
    let machine = Machine::new();
    let check = |name: &str, part: &str| {
        machine.refuses(&[&NEW[..], &[name]].concat(), 2, part);
    };
    check("Spool", "begins with a lower-case letter");
    check("../spool", "begins with a lower-case letter");
    check("2spool", "begins with a lower-case letter");
    check("spööl", "begins with a lower-case letter");
    check("import", "a meaning of its own");
    check("proc-macro", "a meaning of its own");
    check("base", "a meaning of its own");
    check("local", "a built-in flavor is called so");
    check(&"a".repeat(65), "too long");
    machine.refuses(
        &["artifact-store", "flavor", "new", "spool"],
        2,
        "only flavors of orchestrators",
    );
    assert_eq!(files(&machine.work()), [""; 0]);
}
