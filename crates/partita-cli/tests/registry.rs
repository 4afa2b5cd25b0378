//! Stacks, components and flavors, from the command line.

#![allow(clippy::expect_used, reason = "tests may panic")]

mod support;

use serde_json::json;
use support::Machine;

#[test]
fn a_fresh_home_has_a_default_stack() {
    let machine = Machine::new();
    let component =
        |kind: &str| json!({ "name": "default", "type": kind, "flavor": "local", "config": {} });
    let default = json!({
        "name": "default",
        "active": true,
        "orchestrators": [component("orchestrator")],
        "artifact_store": component("artifact_store"),
        "image_builder": null,
        "container_registry": null,
    });
    assert_eq!(machine.json(&["stack", "list"]), json!([default]));
    assert_eq!(machine.json(&["stack", "describe"]), default);
    assert_eq!(machine.json(&["orchestrator", "list"]), json!([component("orchestrator")]));
    assert_eq!(machine.ok(&["stack", "get"]), "default\n");
}

#[test]
fn images_have_builders_and_registries() {
    let machine = Machine::new();
    let team = ["--flavor=default", "--uri=registry.example.org/team"];
    machine.ok(&[&["container-registry", "register", "team"], &team[..]].concat());
    machine.refuses(
        &["container-registry", "update", "team", "--uri=https://a"],
        1,
        "write a host",
    );
    machine.ok(&["container-registry", "update", "team", "--uri=registry.example.org/us"]);
    // Built-in flavors that take no configuration are components by their own names.
    let stack = ["stack", "register", "boxed", "-o", "docker", "-a", "default", "-i", "native"];
    machine.ok(&stack);
    machine.ok(&["stack", "update", "boxed", "-c", "team"]);
    let described = machine.json(&["stack", "describe", "boxed"]);
    assert_eq!(described["orchestrators"][0]["flavor"], "docker");
    assert_eq!(described["image_builder"]["flavor"], "native");
    assert_eq!(described["container_registry"]["config"]["uri"], "registry.example.org/us");
    assert!(machine.ok(&["stack", "describe", "boxed"]).contains("container registry"));
    machine.refuses(&["image-builder", "delete", "native"], 1, "stack `boxed`");
    machine.ok(&["stack", "delete", "boxed"]);
    machine.ok(&["image-builder", "delete", "native"]);
    assert_eq!(machine.json(&["image-builder", "list"]), json!([]));
    let flavors = machine.json(&["container-registry", "flavor", "list"]);
    assert_eq!(flavors.as_array().expect("flavors").len(), 2);
}

#[test]
fn configuration_is_typed_by_the_flavor() {
    let machine = Machine::new();
    machine.ok(&[
        "artifact-store",
        "register",
        "--path=/x=y",
        "big",
        "--flavor=local",
        "--trust-pickles=false",
    ]);
    let expected = json!({ "path": "/x=y", "trust_pickles": false });
    assert_eq!(machine.json(&["artifact-store", "describe", "big"])["config"], expected);
    machine.ok(&["artifact-store", "update", "big", "--durability=power", "--unset", "path"]);
    let expected = json!({ "durability": "power", "trust_pickles": false });
    assert_eq!(machine.json(&["artifact-store", "describe", "big"])["config"], expected);
}

#[test]
fn usage_names_the_component_type() {
    let machine = Machine::new();
    let check = |words: &[&str], usage: &str| {
        let help = machine.ok(&[words, &["--help"]].concat());
        assert!(help.contains(usage), "{help}");
    };
    let usage = "Usage: partita artifact-store register [OPTIONS] --flavor <FLAVOR> <NAME> [--KEY";
    check(&["artifact-store", "register"], usage);
    check(&["orchestrator", "update"], "Usage: partita orchestrator update [OPTIONS] <NAME>");
}

#[test]
fn wrong_configuration_is_a_usage_error_that_names_what_is_meant() {
    let machine = Machine::new();
    let check = |option: &str, part: &str| {
        machine.refuses(&["artifact-store", "register", "x", "--flavor=local", option], 2, part);
    };
    check("--pth=/x", "did you mean `--path`?");
    check("--trust_pickles=maybe", "`true` or `false`");
    check("--durability=none", "`process` or `power`");
    check("--path", "`--path=VALUE`");
    machine.refuses(&["artifact-store", "update", "default"], 2, "nothing to change");
    machine.refuses(
        &["artifact-store", "register", "x", "--flavor=locl"],
        1,
        "did you mean `local`?",
    );
    let check = |option: &str, part: &str| {
        machine.refuses(&["orchestrator", "register", "x", "--flavor=process", option], 1, part);
    };
    check(
        "--memory=lots",
        "`memory`: `lots` is not an amount of memory; write a number and a unit, such as `512MiB` or `1.5GB`; see",
    );
    check("--grace=-1", "`grace`: `-1` is not a length of time");
    check("--cpu_count=-1", "must be a number above 0");
    assert_eq!(machine.json(&["artifact-store", "list"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn stacks_are_registered_chosen_changed_and_deleted() {
    let machine = Machine::new();
    machine.ok(&["artifact-store", "register", "big", "--flavor", "local"]);
    machine.ok(&["stack", "register", "mine", "-o", "default", "-a", "big", "--set"]);
    assert_eq!(machine.ok(&["stack", "get"]), "mine\n");
    machine.refuses(&["artifact-store", "delete", "big"], 1, "is used by");
    machine.refuses(&["stack", "delete", "mine"], 1, "partita stack set default");
    machine.ok(&["stack", "update", "mine", "-a", "default"]);
    machine.ok(&["stack", "set", "default"]);
    machine.ok(&["stack", "delete", "mine"]);
    machine.ok(&["artifact-store", "delete", "big"]);
    machine.refuses(&["stack", "set", "mine"], 1, "there is no stack `mine`");
    machine.refuses(&["stack", "delete", "default"], 1, "belongs to every home");
    machine.refuses(&["stack", "register", "s", "-o", "gone", "-a", "default"], 1, "gone");
}

#[test]
fn each_source_root_has_its_own_active_stack() {
    let machine = Machine::new();
    machine.ok(&["stack", "register", "mine", "-o", "default", "-a", "default"]);
    machine.ok(&["init"]);
    machine.ok(&["stack", "set", "mine"]);
    assert_eq!(machine.ok(&["stack", "get"]), "mine\n");
    let elsewhere =
        support::ended(machine.command(&["stack", "get"]).current_dir(machine.folder.path()));
    assert_eq!(elsewhere.stdout, "default\n");
    let config =
        std::fs::read_to_string(machine.work().join(".partita/config.toml")).expect("a file");
    assert!(config.starts_with('#') && config.contains("stack = \"mine\""), "{config}");
}

#[test]
fn names_may_be_odd_and_harm_no_terminal() {
    let machine = Machine::new();
    for name in ["a b", "../../etc", "Überstapel", "$(x)", "--"] {
        if name != "--" {
            machine.ok(&["stack", "register", name, "-o", "default", "-a", "default"]);
            assert_eq!(machine.json(&["stack", "describe", name])["name"], name);
        }
    }
    machine.refuses(
        &["stack", "register", "a\x1b[2Jb", "-o", "default", "-a", "default"],
        1,
        "control character",
    );
    let long = "x".repeat(10_000);
    machine.refuses(
        &["stack", "register", &long, "-o", "default", "-a", "default"],
        1,
        "10000 characters",
    );
    let ended = machine.run(&["stack", "describe", "\x1b[2J"]);
    assert!(ended.code == 1 && !ended.stderr.contains('\x1b'), "{ended:?}");
}

#[test]
fn flavors_show_their_keys() {
    let machine = Machine::new();
    let flavors = machine.json(&["orchestrator", "flavor", "list"]);
    assert_eq!(
        (flavors[0]["name"].as_str(), flavors[0]["source"].as_str()),
        (Some("docker"), Some("built-in"))
    );
    let text = machine.ok(&["artifact-store", "flavor", "describe", "local"]);
    assert!(text.contains("trust_pickles") && text.contains("`true` or `false`"), "{text}");
    machine.refuses(
        &["artifact-store", "flavor", "describe", "s3"],
        1,
        "no artifact store flavor `s3`; `partita artifact-store flavor list` shows them all.\n",
    );
}

#[test]
fn looking_at_a_store_makes_no_folder() {
    let machine = Machine::new();
    for words in [&["runs", "list"][..], &["store", "gc"], &["store", "rebuild"], &["doctor"]] {
        machine.run(words);
    }
    assert!(!machine.home().join("store").exists());
}
