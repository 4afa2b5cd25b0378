//! Secrets, from the command line: stored, listed and deleted, and never shown.

#![allow(clippy::expect_used, reason = "tests may panic")]

mod support;

use std::io::Write;
use std::process::Stdio;

use serde_json::json;
use support::{Ended, Machine};

const VALUE: &str = "s3cret välue";

/// Runs `partita secret set` with this word for the key, and `input` on standard input.
fn set(machine: &Machine, key: &str, input: &[u8]) -> Ended {
    let mut command = machine.command(&["secret", "set", "hub", key]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    // One that refuses what was typed does not read.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    let output = child.wait_with_output().expect("the command ends");
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A flavor of somebody's own, whose components have a token.
fn with_flavor(machine: &Machine) {
    machine.ok(&["secret", "list"]);
    let database = rusqlite::Connection::open(machine.home().join("metadata.db")).expect("opened");
    let schema = r#"{"type":"object","properties":{"token":{"type":"string"},"size":{"type":"integer"}},"additionalProperties":false}"#;
    database
        .execute(
            "INSERT INTO flavors (type, name, description, source, config_schema) VALUES ('orchestrator', 'mine', '', 'mine', ?)",
            [schema],
        )
        .expect("inserted");
}

#[test]
fn a_value_is_read_from_standard_input_and_listed_without_itself() {
    let machine = Machine::new();
    for (key, input) in [("token=-", format!("{VALUE}\n")), ("other", format!("{VALUE}\r\n"))] {
        let ended = set(&machine, key, input.as_bytes());
        assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{ended:?}");
        assert!(ended.stderr.contains("stands for it"), "{ended:?}");
    }
    let listed = machine.json(&["secret", "list"]);
    let described = machine.json(&["secret", "describe", "hub"]);
    assert_eq!(listed, json!([described]));
    let keys = described["keys"].as_array().expect("keys");
    let references: Vec<_> = keys.iter().map(|key| key["reference"].clone()).collect();
    assert_eq!(references, [json!("{{hub.other}}"), json!("{{hub.token}}")]);
    assert_eq!(keys[0]["used_by"], json!([]));
    for words in [&["secret", "list"][..], &["secret", "describe", "hub"]] {
        let shown = machine.ok(words);
        assert!(shown.contains("{{hub.token}}") && !shown.contains("s3cret"), "{shown}");
    }
    machine.ok(&["secret", "delete", "hub", "other"]);
    machine.ok(&["secret", "delete", "hub"]);
    assert_eq!(machine.json(&["secret", "list"]), json!([]));
}

#[test]
fn a_value_on_the_command_line_is_refused_and_not_repeated() {
    let machine = Machine::new();
    let check = |words: &[&str]| {
        let words = [&["secret", "set", "hub"], words].concat();
        machine.refuses(&words, 2, "a value on the command line");
        assert!(!machine.run(&words).stderr.contains("s3cret"));
    };
    check(&["token=s3cret"]);
    check(&["token", "s3cret"]);
    check(&["token", "--value=s3cret"]);
    check(&["token=", "s3cret"]);
}

#[test]
fn what_can_be_no_secret_is_refused() {
    let machine = Machine::new();
    let check = |key: &str, input: &[u8], code: i32, part: &str| {
        let ended = set(&machine, key, input);
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(ended.stderr.starts_with("error: ") && ended.stderr.contains(part), "{ended:?}");
    };
    check("token", b"", 1, "has 0 bytes");
    check("token", b"ab\n", 1, "has 2 bytes");
    check("token", &[b'a'; 20_000], 1, "at most 16384");
    check("token", b"\xff\xfe\xfd\xfc", 1, "text in UTF-8");
    check("to.ken", VALUE.as_bytes(), 2, "cannot be the key");
    machine.refuses(&["secret", "describe", "hub"], 1, "there is no secret `hub`");
    machine.refuses(&["secret", "delete", "hub"], 1, "`partita secret list` shows them all");
}

#[test]
fn a_component_holds_the_reference_and_keeps_the_secret_from_being_deleted() {
    let machine = Machine::new();
    with_flavor(&machine);
    let register = ["orchestrator", "register", "gpu", "--flavor=mine", "--token={{hub.token}}"];
    machine.refuses(&register, 1, "`partita secret set hub token` stores this one");
    assert_eq!(set(&machine, "token", VALUE.as_bytes()).code, 0);
    machine.refuses(
        &["orchestrator", "register", "gpu", "--flavor=mine", "--token=x{{hub.token}}"],
        1,
        "stands for a whole value",
    );
    machine.refuses(
        &["orchestrator", "register", "gpu", "--flavor=mine", "--size={{hub.token}}"],
        2,
        "`size` is",
    );
    let words = ["orchestrator", "register", "gpu", "--flavor=process", "--memory={{hub.token}}"];
    machine.refuses(&words, 1, "not an amount of memory");
    machine.ok(&register);
    let described = machine.json(&["orchestrator", "describe", "gpu"]);
    assert_eq!(described["config"], json!({ "token": "{{hub.token}}" }));
    machine.refuses(&["secret", "delete", "hub"], 1, "is used by orchestrator `gpu`");
    assert_eq!(
        machine.json(&["secret", "describe", "hub"])["keys"][0]["used_by"],
        json!(["orchestrator `gpu`"])
    );
    machine.ok(&["orchestrator", "update", "gpu", "--token=plain"]);
    machine.ok(&["secret", "delete", "hub"]);
}

#[test]
fn the_place_of_an_artifact_store_is_no_secret() {
    let machine = Machine::new();
    assert_eq!(set(&machine, "token", b"/srv/place").code, 0);
    let words = ["artifact-store", "register", "x", "--flavor=local", "--path={{hub.token}}"];
    machine.refuses(&words, 1, "it can be no secret; write it out");
}

#[test]
fn doctor_looks_whether_what_is_stored_can_be_decrypted() {
    use std::fs::{Permissions, read, remove_file, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;

    let machine = Machine::new();
    let check = |verdict: &str, part: &str| {
        let checks = machine.run(&["doctor", "--output", "json"]).stdout;
        let checks: serde_json::Value = serde_json::from_str(&checks).expect("JSON");
        let all = checks.as_array().expect("a list");
        let found = all.iter().find(|check| check["name"] == "secrets").expect("a row");
        assert_eq!(found["verdict"], verdict, "{found}");
        assert!(found["message"].as_str().is_some_and(|told| told.contains(part)), "{found}");
    };
    check("ok", "none is stored");
    assert_eq!(set(&machine, "token", VALUE.as_bytes()).code, 0);
    check("ok", "1 value is stored, and can be decrypted");
    let path = machine.home().join("secrets.key");
    let key = read(&path).expect("a key");
    set_permissions(&path, Permissions::from_mode(0o644)).expect("changed");
    check("problem", "others than its owner may read or change it; see who it belongs to");
    remove_file(&path).expect("removed");
    check("problem", "it is not there; bring it back");
    let mut other = key.clone();
    other[0] ^= 1;
    write(&path, &other).expect("written");
    set_permissions(&path, Permissions::from_mode(0o600)).expect("changed");
    check("problem", "`hub.token` cannot be decrypted with the key in");
    write(&path, &key).expect("written");
    check("ok", "1 value is stored, and can be decrypted");
}
