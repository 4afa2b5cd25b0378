//! What the compiler says of pipelines that are wired wrongly.
//!
//! Each file in `wiring/` is an example that does not compile; the comments that it begins with are
//! what has to be said. They are built here, beside everything that they need, and not with
//! `trybuild`, which builds all of the engine once more first: that takes minutes.

#![allow(clippy::expect_used, reason = "tests may panic")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// Checks that an example does not compile, and that the compiler says why.
fn check(name: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wiring").join(name);
    let text = fs::read_to_string(file.with_extension("rs")).expect("a case");
    let expected: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("// ")).collect();
    assert!(!expected.is_empty(), "{name} expects nothing");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--locked", "--color=never", "--package=partita"])
        .args(["--features=wiring-cases", "--example", name])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo starts");
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(!built.status.success(), "{name} compiles");
    for part in expected {
        assert!(said.contains(part), "{name} is not told of with `{part}`:\n{said}");
    }
}

#[test]
fn a_wrong_type_is_told_of_with_step_input_and_both_types() {
    check("wrong_type");
}

#[test]
fn an_input_that_is_missing_is_named() {
    check("too_few_inputs");
}

#[test]
fn types_that_cannot_be_stored_are_told_of_with_what_to_derive() {
    check("not_serializable");
}

#[test]
fn what_macros_do_not_take_is_told_of_where_it_stands() {
    check("unknown_option");
}
