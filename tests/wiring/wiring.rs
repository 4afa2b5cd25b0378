//! What the compiler says of pipelines that are wired wrongly.
//!
//! Each file in `cases/` does not compile; the one beside it has what is said of it. Other versions
//! of the compiler say the same in other words, so it is compared with one alone. To renew what is
//! said: `TRYBUILD=overwrite cargo test --package wiring`.

#![allow(clippy::expect_used, reason = "tests may panic")]

use std::process::Command;

/// The compiler whose words are known.
const RUSTC: &str = "rustc 1.95.";

#[test]
fn what_is_wired_wrongly_does_not_compile_and_is_told_of_with_step_input_and_types() {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(compiler).arg("--version").output().expect("rustc starts");
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    if !version.starts_with(RUSTC) {
        println!("skipped: `{RUSTC}` is not installed, but `{}`", version.trim());
        return;
    }
    trybuild::TestCases::new().compile_fail("cases/*.rs");
}
