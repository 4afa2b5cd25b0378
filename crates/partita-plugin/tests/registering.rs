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
    let folder = Folder::new();
    let start = folder.plugin("none", cases);
    let short = Duration::from_millis(300);
    let patience = Patience { start: short, answer: short, end: short };
    let described = Registration::open(&start, patience).and_then(|plugin| {
        let origin = Origin::Executable { digest: Digest::of(b"") };
        plugin.describe("plugin".to_owned(), origin)
    });
    let refused = described.unwrap_err().to_string();
    assert!(refused.contains(expected), "{refused}");
    assert!(!refused.contains('\n'), "{refused}");
}

#[test]
fn a_plugin_that_hangs_is_ended() {
    check("hello) read -r line ;;", "did not answer `hello` within 0.3 s");
    check("describe) echo importing >&2; read -r line ;;", "the last that it wrote is `importing`");
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
