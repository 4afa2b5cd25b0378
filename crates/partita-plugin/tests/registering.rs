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
        let origin = Origin::Executable { digest: Digest::of(b""), package: None };
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
    let wrong = "describes its flavor wrongly: ";
    check(r#"describe) answer "$id" '[]' ;;"#, &format!("{wrong}it is no object"));
    check(
        r#"describe) answer "$id" '{"name":5}' ;;"#,
        "`type` is missing; `config_schema` is missing",
    );
    check(r#"describe) answer "$id" '{"name":5}' ;;"#, "`name` is text, not `5`");
    check(
        r#"hello) answer "$id" '{"protocol":"one"}' ;;"#,
        "`protocol` is a whole number of at least 0",
    );
    check(r#"describe) refuse "$id" -32000 "no driver here" ;;"#, "no driver here");
}

#[test]
fn a_plugin_that_does_not_keep_to_the_protocol_is_told_in_one_paragraph() {
    check(r#"hello) answer "$id" '{"protocol":2}' ;;"#, "speaks version 2 of the plugin protocol");
    check(
        r#"hello) echo "no queue" >&2; exit 3 ;;"#,
        "ended with exit code 3 before it answered `hello`; the last that it wrote is `no queue`",
    );
    check("hello) exit ;;", "`hello`; a plugin goes on until its standard input has ended");
    check("describe) exit 3 ;;", "ended with exit code 3 before it answered `describe`");
    check("hello) echo \"$line\" ;;", "wrote `hello` back as it was asked it, so it is no plugin");
    check("describe) kill -9 $$ ;;", "was ended by SIGKILL");
    check("describe) echo Loading ;;", "wrote `Loading` to its standard output");
    check("describe) head -c 100000000 /dev/zero ;;", "more than 16 MiB");
    check("describe) exec >&- ; read -r line ;;", "closed its standard output");
}

/// Checks what becomes of a flavor that is described with these keys besides the usual ones.
fn check_described(keys: &str, expected: &str) {
    let answer = format!(r#"{{"name":"queue","type":"orchestrator",{keys}}}"#);
    check(&format!(r#"describe) answer "$id" '{answer}' ;;"#), expected);
}

#[test]
fn a_supply_that_cannot_be_meant_is_refused_by_key() {
    let check = |supply: &str, expected: &str| {
        check_described(&format!(r#""config_schema":{{}},"supply":{supply}"#), expected);
    };
    check(r#"{"max_parallelism":0}"#, "`supply.max_parallelism` is a whole number of at least 1");
    check(r#"{"max_parallelism":"4"}"#, "`supply.max_parallelism` is a whole number");
    check(
        r#"{"max_paralelism":4}"#,
        "`supply.max_paralelism` is no key of it; did you mean `max_parallelism`?",
    );
    check(r#"{"grace":-1}"#, "`supply.grace` is a number from 0 to 86400, not `-1`");
    check(r#"{"grace":1e308}"#, "`supply.grace` is a number from 0 to 86400, not `1e+308`");
    check(r#"{"memory":"2GB"}"#, "`supply.memory` is a number of at least 0 or `any`");
    check(r#"{"gpus":0.5}"#, "`supply.gpus` is a whole number, or `\"any\"`");
}

#[test]
fn a_schema_that_is_none_is_refused() {
    let check = |schema: &str, expected: &str| {
        check_described(&format!(r#""config_schema":{schema}"#), expected);
        let settings = format!(r#""config_schema":{{}},"settings_schema":{schema}"#);
        check_described(&settings, &expected.replace("config_schema", "settings_schema"));
    };
    check(r#"{"type":"array"}"#, "has a `config_schema` that is no JSON Schema of an object");
    check(r##"{"properties":{"a":{"$ref":"#/$defs/Gone"}}}"##, "refers to `#/$defs/Gone`");
    check(r#"{"properties":{"a":{"type":"whole"}}}"#, "there is no such type");
    check("5", "`#` is no schema");
    check(
        r#"{"properties":{"nodes":{"type":"integer","default":"many"}}}"#,
        "has a `config_schema` with a default that does not fit: `nodes` is a whole number, not",
    );
    check(
        "false",
        "has a `config_schema` that could never be met: nothing fits `#`, which is `false`",
    );
}

#[test]
fn a_schema_of_5_mb_is_refused() {
    let cases = r#"describe) padding=$(head -c 5000000 /dev/zero | tr '\0' x)
        answer "$id" '{"name":"queue","type":"orchestrator","config_schema":{"title":"'"$padding"'"}}' ;;"#;
    check(cases, "has a `config_schema` of 5000012 bytes; a schema has at most 1048576");
}
