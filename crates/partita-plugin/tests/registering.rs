//! What is asked outside of runs, of plugins that do not answer as they should.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::time::Duration;

use partita_core::digest::Digest;
use partita_core::stack::Origin;
use partita_plugin::{Patience, Registration};
use support::Folder;

/// Checks what becomes of a plugin in shell with these cases.
fn check(cases: &str, expected: &str) {
    check_within(Patience::default().start, cases, expected);
}

/// Checks the same where an answer is waited for so long.
fn check_within(start: Duration, cases: &str, expected: &str) {
    let folder = Folder::new();
    let plugin = folder.plugin("none", cases);
    let end = Duration::from_millis(500);
    let patience = Patience { start, end, ..Patience::default() };
    let described = Registration::open(&plugin, patience).and_then(|plugin| {
        let origin = Origin::Executable { digest: Digest::of(b"") };
        plugin.describe("plugin".to_owned(), origin)
    });
    let refused = described.unwrap_err().to_string();
    assert!(refused.contains(expected), "{refused}");
    assert!(!refused.contains('\n'), "{refused}");
}

#[test]
fn a_plugin_that_hangs_is_ended() {
    let short = Duration::from_millis(100);
    check_within(short, "hello) read -r line ;;", "did not answer `hello` within 0.1 s");
    // Long enough for it to answer `hello`, also on a busy machine.
    let long = Duration::from_secs(5);
    let says = "describe) echo importing >&2; read -r line ;;";
    check_within(long, says, "the last that it wrote is `importing`");
}

#[test]
fn a_plugin_that_answers_something_else_is_refused() {
    check(r#"describe) answer "$id" '[]' ;;"#, "what is no answer to that");
    check(r#"describe) answer "$id" '{"name":5}' ;;"#, "what is no answer to that");
    check(r#"describe) refuse "$id" -32000 "no driver here" ;;"#, "no driver here");
    check("describe) exit 3 ;;", "ended with exit code 3");
    check("describe) head -c 100000000 /dev/zero ;;", "more than 16 MiB");
    check("describe) exec >&- ; read -r line ;;", "closed its standard output");
}
