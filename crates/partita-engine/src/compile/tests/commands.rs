//! Which executables commands start, on a machine and in an image.

use serde_json::{Value, json};

use super::super::compile;
use super::*;

/// Returns what two uses of a command are compiled to: the first on the machine, and the second in an
/// image.
fn compiled(executable: Value) -> (Value, Value) {
    let image = json!({ "docker": { "parent_image": "tools:7", "skip_build": true } });
    let steps = vec![plain("here"), with_options("boxed", json!({ "settings": image }))];
    let mut spec = serde_json::to_value(spec(steps)).unwrap();
    let part = |kind: &str| json!({ "name": "sort", "kind": kind, "digest": Digest::of(b"sort") });
    for source in spec["sources"].as_object_mut().unwrap().values_mut() {
        source["command"] = json!({ "executable": executable, "words": [] });
        source["parts"] = json!([part("command"), part("executable")]);
    }
    let one = spec["steps"][0]["source"].clone();
    spec["steps"][1]["source"] = one;
    let request =
        CompileRequest { capabilities: Capabilities { images: true, ..ABLE }, ..request() };
    let compiled = compile(serde_json::from_value(spec).unwrap(), &request).unwrap();
    let source = |step: usize| {
        let deployment = &compiled.deployment;
        serde_json::to_value(&deployment.sources[&deployment.steps[step].source]).unwrap()
    };
    (source(0), source(1))
}

#[test]
fn in_an_image_a_command_starts_what_the_image_has() {
    let digest = json!(Digest::of(b"sort"));
    let check = |path: &str, name: &str, expected: Value, parts: usize| {
        let executable = json!({ "path": path, "name": name, "digest": digest });
        let (here, boxed) = compiled(executable.clone());
        assert_eq!(here["command"]["executable"], executable);
        assert_eq!(boxed["command"]["executable"], expected, "{name}");
        assert_eq!(here["parts"].as_array().unwrap().len(), 2);
        assert_eq!(boxed["parts"].as_array().unwrap().len(), parts, "{name}");
    };
    check("/usr/bin/sort", "sort", json!({ "path": "sort" }), 1);
    check("/opt/sort", "/opt/sort", json!({ "path": "/opt/sort" }), 1);
    let brought = json!({ "path": "./tools/sort", "digest": digest });
    check("/home/me/tools/sort", "./tools/sort", brought, 2);
}

#[test]
fn an_executable_that_is_not_here_is_missed_by_steps_that_run_here() {
    let mut spec = serde_json::to_value(spec(vec![plain("a")])).unwrap();
    let source = spec["steps"][0]["source"].as_str().unwrap().to_owned();
    let missing = json!({ "path": "bwa", "name": "bwa" });
    spec["sources"][&source]["command"] = json!({ "executable": missing, "words": [] });
    let report = compile(serde_json::from_value(spec).unwrap(), &request()).unwrap_err();
    let told = report.to_string();
    assert!(
        told.contains("`bwa`, which step `a` starts, is no executable in a folder of"),
        "{told}"
    );
}
