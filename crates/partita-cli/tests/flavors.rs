//! Flavors that live in executables, from the command line: registered, changed, deleted, and all that
//! can go wrong with them.

#![allow(clippy::expect_used, reason = "tests may panic")]

mod support;

use serde_json::json;
use support::{Machine, text};

/// A flavor in nothing but shell: it answers what registration and configuration ask.
const QUEUE: &str = r#"#!/bin/sh
answer() { printf '{"jsonrpc":"2.0","id":%s,"result":%s}\n' "$1" "$2"; }
while IFS= read -r line; do
    id=${line#*'"id":'}; id=${id%%,*}
    case $line in
    *'"method":"hello"'*) answer "$id" '{"protocol":1,"capabilities":["levitate"]}' ;;
    *'"method":"describe"'*) answer "$id" '{"name":"NAME","type":"TYPE","description":"Runs steps in a queue.","config_schema":SCHEMA}' ;;
    *'"queue":"closed"'*) answer "$id" '{"problems":[{"field":"queue","message":"the queue is closed"}]}' ;;
    *) answer "$id" '{"problems":[]}' ;;
    esac
done
"#;

const SCHEMA: &str = r#"{"type":"object","properties":{"queue":{"type":"string","description":"Where steps wait."},"nodes":{"type":"integer","default":1}},"required":["queue"]}"#;

/// Returns the path of an executable with this text.
fn program(machine: &Machine, name: &str, content: &str) -> String {
    text(&machine.program("plugins", name, content).join(name))
}

fn queue(machine: &Machine) -> String {
    queue_with(machine, SCHEMA)
}

fn queue_with(machine: &Machine, schema: &str) -> String {
    let content = QUEUE.replace("NAME", "queue").replace("TYPE", "orchestrator");
    program(machine, "queue", &content.replace("SCHEMA", schema))
}

const REGISTER: [&str; 3] = ["orchestrator", "flavor", "register"];

fn register(machine: &Machine, path: &str) {
    machine.ok(&[&REGISTER[..], &[path]].concat());
}

/// The flavors of orchestrators that are there before any is registered.
const BUILT_IN: [&str; 3] = ["docker", "local", "process"];

/// Returns the names of all flavors of orchestrators, as they are listed.
fn names(machine: &Machine) -> Vec<String> {
    let listed = machine.json(&["orchestrator", "flavor", "list"]);
    listed
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|row| row["name"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn a_registered_flavor_is_listed_with_all_others_and_described() {
    let machine = Machine::new();
    let path = queue(&machine);
    register(&machine, &path);
    assert_eq!(names(&machine), [&BUILT_IN[..], &["queue"]].concat());
    let listed = machine.json(&["orchestrator", "flavor", "list"]);
    assert_eq!(listed[BUILT_IN.len()]["source"], path);
    let described = machine.ok(&["orchestrator", "flavor", "describe", "queue"]);
    for part in ["Runs steps in a queue.", "queue", "(required)", "Where steps wait.", "nodes"] {
        assert!(described.contains(part), "{described}");
    }
}

#[test]
fn what_steps_may_ask_of_a_flavor_is_described() {
    let described = |supply: &str| {
        let machine = Machine::new();
        let content = QUEUE.replace("NAME", "queue").replace("TYPE", "orchestrator");
        let content = content.replace("SCHEMA", &format!(r#"{SCHEMA},"supply":{supply}"#));
        register(&machine, &program(&machine, "queue", &content));
        let text = machine.ok(&["orchestrator", "flavor", "describe", "queue"]);
        let pair =
            |line: &str| line.split_once(':').map(|(key, told)| (key.into(), told.trim().into()));
        text.lines().filter_map(pair).collect::<Vec<(String, String)>>()
    };
    let holds = |supply: &str, expected: [&str; 5]| {
        let told = described(supply);
        let keys = ["parallelism", "cpus", "memory", "gpus", "delegates"];
        for (key, value) in keys.into_iter().zip(expected) {
            assert!(told.contains(&(key.to_owned(), value.to_owned())), "{key}: {told:?}");
        }
    };
    holds("{}", ["as many as are ready", "any", "none", "none", "no"]);
    holds(
        r#"{"max_parallelism":4,"cpus":2.5,"memory":"any","gpus":2,"delegates":"throughout"}"#,
        ["4", "2.5", "any", "2", "yes, and goes on when a step has failed"],
    );
    holds(
        r#"{"memory":2048,"gpus":"any","delegates":"yes"}"#,
        ["as many as are ready", "any", "2.0 KB (2048 bytes)", "any", "yes"],
    );
}

#[test]
fn a_path_is_kept_whole_wherever_it_was_typed() {
    let machine = Machine::new();
    let path = queue(&machine);
    machine.ok(&[&REGISTER[..], &["../plugins/queue"]].concat());
    let flavor = machine.json(&["orchestrator", "flavor", "describe", "queue"]);
    let source = flavor["source"].as_str().expect("a path");
    assert!(source.starts_with('/') && std::path::Path::new(source).exists(), "{source} {path}");
}

#[test]
fn components_are_checked_by_schema_and_by_the_flavor_itself() {
    let machine = Machine::new();
    register(&machine, &queue(&machine));
    let with = |option: &'static str| ["orchestrator", "register", "q", "--flavor=queue", option];
    machine.refuses(&with("--nodes=two"), 2, "`nodes` is a whole number");
    machine.refuses(&with("--nodes=2"), 2, "needs `--queue=VALUE`");
    machine.refuses(&with("--quue=a"), 2, "did you mean `--queue`?");
    machine.refuses(&with("--queue=closed"), 2, "`queue`: the queue is closed");
    assert_eq!(machine.json(&["orchestrator", "list"]).as_array().map(Vec::len), Some(1));
    machine.ok(&with("--queue=a100"));
    machine.refuses(&["orchestrator", "update", "q", "--queue=closed"], 2, "the queue is closed");
    let config = &machine.json(&["orchestrator", "describe", "q"])["config"];
    assert_eq!(*config, json!({ "queue": "a100" }));
}

#[test]
fn a_value_out_of_bounds_and_a_key_given_twice_are_told_as_what_they_are() {
    let machine = Machine::new();
    let bounded = SCHEMA.replace("\"default\":1", "\"minimum\":1,\"maximum\":8");
    register(&machine, &queue_with(&machine, &bounded));
    let with = |options: &[&'static str]| {
        [&["orchestrator", "register", "q", "--flavor=queue", "--queue=a"], options].concat()
    };
    machine.refuses(&with(&["--nodes=0"]), 2, "`nodes` is a whole number from 1 to 8, not `0`");
    machine.refuses(&with(&["--nodes=1", "--nodes=2"]), 2, "is given twice, as `1` and as `2`");
    machine.refuses(&with(&["--queue", "b"]), 2, "`--queue` is given twice");
}

#[test]
fn a_key_is_typed_with_either_of_its_lines() {
    let machine = Machine::new();
    register(&machine, &queue_with(&machine, &SCHEMA.replace("nodes", "max-nodes")));
    for (name, option) in [("one", "--max-nodes=3"), ("two", "--max_nodes=3")] {
        machine.ok(&["orchestrator", "register", name, "--flavor=queue", "--queue=a", option]);
        let config = &machine.json(&["orchestrator", "describe", name])["config"];
        assert_eq!(*config, json!({ "queue": "a", "max-nodes": 3 }));
    }
    machine.ok(&["orchestrator", "update", "one", "--unset=max_nodes"]);
    let config = &machine.json(&["orchestrator", "describe", "one"])["config"];
    assert_eq!(*config, json!({ "queue": "a" }));
}

#[test]
fn a_wrong_answer_about_a_configuration_is_refused() {
    let machine = Machine::new();
    let content = QUEUE.replace("NAME", "queue").replace("TYPE", "orchestrator");
    let content =
        content.replace("SCHEMA", SCHEMA).replace("{\"problems\":[]}", "{\"problems\":7}");
    register(&machine, &program(&machine, "queue", &content));
    let given = ["orchestrator", "register", "q", "--flavor=queue", "--queue=a"];
    machine.refuses(&given, 1, "answered `validate` with what is no answer to that: `problems` is");
    assert_eq!(machine.json(&["orchestrator", "list"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn components_are_configured_where_the_plugin_is_gone_or_another() {
    let machine = Machine::new();
    let path = queue(&machine);
    register(&machine, &path);
    let check = |name: &str, why: &str| {
        let done = machine.run(&["orchestrator", "register", name, "--flavor=queue", "--queue=b"]);
        assert_eq!(done.code, 0, "{done:?}");
        assert!(
            done.stderr.contains("stored schema alone") && done.stderr.contains(why),
            "{done:?}"
        );
        machine.refuses(&["orchestrator", "update", name, "--nodes=x"], 2, "a whole number");
        machine.ok(&["stack", "register", name, "-o", name, "-a", "default"]);
    };
    program(&machine, "queue", "#!/bin/sh\nexit 1\n");
    check("changed", "`partita orchestrator flavor update queue`");
    std::fs::remove_file(&path).expect("removed");
    check("gone", "there is no such file");
    assert!(machine.ok(&["orchestrator", "flavor", "describe", "queue"]).contains("nodes"));
}

#[test]
fn an_update_tells_which_components_no_longer_validate() {
    let machine = Machine::new();
    let path = queue(&machine);
    register(&machine, &path);
    for (name, options) in [("one", &["--queue=a"][..]), ("two", &["--queue=a", "--nodes=2"])] {
        machine.ok(&[&["orchestrator", "register", name, "--flavor=queue"], options].concat());
    }
    queue_with(&machine, &SCHEMA.replace("integer", "string").replace("\"default\":1", "\"x\":1"));
    let updated = machine.run(&["orchestrator", "flavor", "update", "queue"]);
    assert_eq!(updated.code, 0, "{updated:?}");
    assert!(updated.stderr.contains("the orchestrator `two` no longer validates: `nodes` is text"));
    assert!(updated.stderr.contains("`partita orchestrator update two --nodes=VALUE`"));
    assert!(!updated.stderr.contains("`one`"), "{updated:?}");
    machine.refuses(&["orchestrator", "flavor", "update", "local"], 1, "is built in");
    let other = QUEUE.replace("NAME", "other").replace("TYPE", "orchestrator");
    program(&machine, "queue", &other.replace("SCHEMA", SCHEMA));
    machine.refuses(&["orchestrator", "flavor", "update", "queue"], 1, "is the flavor `other`");
}

#[test]
fn a_key_that_a_flavor_has_no_more_can_be_taken_away() {
    let machine = Machine::new();
    let path = queue(&machine);
    register(&machine, &path);
    machine.ok(&["orchestrator", "register", "one", "--flavor=queue", "--queue=a", "--nodes=2"]);
    queue_with(&machine, &SCHEMA.replace("nodes", "hosts"));
    machine.ok(&["orchestrator", "flavor", "update", "queue"]);
    machine.refuses(&["orchestrator", "update", "one", "--unset=nope"], 2, "no key `nope`");
    machine.ok(&["orchestrator", "update", "one", "--unset=nodes", "--hosts=3"]);
    let described = machine.ok(&["orchestrator", "describe", "one"]);
    assert!(described.contains("hosts") && !described.contains("nodes"), "{described}");
}

#[test]
fn a_flavor_in_use_and_one_that_is_built_in_stay() {
    let machine = Machine::new();
    register(&machine, &queue(&machine));
    machine.ok(&["orchestrator", "register", "q", "--flavor=queue", "--queue=a"]);
    let delete = |name: &'static str| ["orchestrator", "flavor", "delete", name];
    machine.refuses(&delete("queue"), 1, "is used by orchestrator `q`");
    machine.refuses(&delete("local"), 1, "built-in orchestrator flavor `local`");
    machine.refuses(&delete("quue"), 1, "did you mean `queue`?");
    machine.ok(&["orchestrator", "delete", "q"]);
    machine.ok(&delete("queue"));
    assert_eq!(names(&machine), BUILT_IN);
}

#[test]
fn what_is_no_flavor_is_refused_in_one_paragraph_and_leaves_nothing() {
    let machine = Machine::new();
    let good = QUEUE.replace("TYPE", "orchestrator").replace("SCHEMA", "{}");
    let check = |content: &str, part: &str| {
        let path = program(&machine, "wrong", content);
        let ended = machine.run(&[&REGISTER[..], &[path.as_str()]].concat());
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.stderr.contains(part) && ended.stderr.lines().count() == 1, "{ended:?}");
        assert_eq!(names(&machine), BUILT_IN, "{part}");
    };
    check(&good.replace("\"protocol\":1", "\"protocol\":7"), "speaks version 7");
    check("#!/bin/sh\nexit 3\n", "ended with exit code 3");
    check("#!/bin/sh\necho hello\n", "wrote `hello` to its standard output");
    check("#!/nowhere/python4\n", "its first line names");
    check("no program\n", "cannot be started");
    check(&good.replace("NAME", "local"), "built-in orchestrator flavor `local`");
    check(&good.replace("NAME", "a\\u0007b"), "control character");
    check(&good.replace("NAME", ""), "its name is refused because it is empty");
    check(&good.replace("NAME", "my queue"), "its name is refused because it has ` `");
    check(&good.replace("NAME", "{{a.b}}"), "its name is refused because it has `{`");
    check(&good.replace("NAME", "-x"), "its name is refused because it has `-`");
    check(&good.replace("NAME", &"x".repeat(300)), "it has 300 characters");
    check(
        &QUEUE.replace("NAME", "x").replace("TYPE", "artifact_store").replace("SCHEMA", "{}"),
        "flavor of type `artifact_store`",
    );
    check(&good.replace("NAME", "x").replace(":{}}", ":[]}"), "no JSON Schema");
    for key in ["flavor", "help", "quiet", "unset", "output"] {
        let schema = format!(r#":{{"properties":{{"{key}":{{"type":"string"}}}}}}}}"#);
        let told = format!("configuration key `{key}`, which could never be set");
        check(&good.replace("NAME", "x").replace(":{}}", &schema), &told);
    }
    let supply = r#":{},"supply":{"max_parallelism":0}}"#;
    check(
        &good.replace("NAME", "x").replace(":{}}", supply),
        "`supply.max_parallelism` is a whole",
    );
    let large = format!("#!/bin/sh\n{}", good.replace("NAME", "x").replace(
        "answer \"$id\" '{\"name\"",
        "printf '{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"name\":\"x\",\"type\":\"orchestrator\",\"config_schema\":{\"description\":\"%05000000d\"}}}\\n' \"$id\" 0; : '{\"name\"",
    ));
    check(&large, "has at most 1048576");
}

#[test]
fn a_source_that_is_no_executable_is_refused() {
    let machine = Machine::new();
    let check = |source: &str, part: &str| {
        machine.refuses(&[&REGISTER[..], &[source]].concat(), 1, part);
    };
    check("./nowhere", "there is no such file");
    machine.write("plain", "text");
    check("./plain", "chmod +x");
    machine.write("direct.py", "");
    let program = machine.program("plugins", "garbage", "no program").join("garbage");
    check(&text(&program), "no script, whose first line is `#!`");
    check("./direct.py", "named by the dotted path of its class");
    check("..", "it is a folder");
    machine.refuses(
        &["artifact-store", "flavor", "register", "./plain"],
        2,
        "only flavors of orchestrators",
    );
}

#[test]
fn two_flavors_of_one_name_are_refused() {
    let machine = Machine::new();
    let path = queue(&machine);
    register(&machine, &path);
    machine.refuses(&[&REGISTER[..], &[path.as_str()]].concat(), 1, "flavor update queue");
}

#[test]
fn doctor_looks_whether_flavors_are_what_they_were_and_components_fit_them() {
    let machine = Machine::new();
    let path = queue(&machine);
    register(&machine, &path);
    machine.ok(&["orchestrator", "register", "q", "--flavor=queue", "--queue=a", "--nodes=2"]);
    let check = |row: &str, verdict: &str, part: &str| {
        let checks = machine.run(&["doctor", "--output", "json"]).stdout;
        let checks: serde_json::Value = serde_json::from_str(&checks).expect("JSON");
        let all = checks.as_array().expect("a list");
        let found = all.iter().find(|check| check["name"] == row).expect("a row");
        assert_eq!(found["verdict"], verdict, "{found}");
        let told = format!("{}; {}", found["message"], found["help"]);
        assert!(told.contains(part), "{told}");
    };
    check("flavors", "ok", "1 is registered, and is as it was then");
    check("components", "ok", "3 are configured");
    queue_with(&machine, &SCHEMA.replace(r#""integer","default":1"#, r#""string""#));
    check("flavors", "warning", "`partita orchestrator flavor update queue` takes that in");
    machine.ok(&["orchestrator", "flavor", "update", "queue"]);
    check("flavors", "ok", "");
    check("components", "problem", "`q` no longer validates: `nodes` is text, not `2`");
    check("components", "problem", "`partita orchestrator update q --nodes=VALUE`");
    std::fs::remove_file(&path).expect("removed");
    check("flavors", "problem", "there is no such file");
    check("flavors", "problem", "`partita orchestrator flavor update queue SOURCE`");
}

#[test]
fn doctor_tells_of_components_whose_flavor_is_not_registered() {
    let machine = Machine::new();
    register(&machine, &queue(&machine));
    machine.ok(&["orchestrator", "register", "q", "--flavor=queue", "--queue=a"]);
    let database = rusqlite::Connection::open(machine.home().join("metadata.db")).expect("opened");
    database.execute("DELETE FROM flavors", []).expect("deleted");
    let doctor = machine.run(&["doctor"]);
    let told = "the orchestrator `q` has the flavor `queue`, which is not registered";
    assert!(doctor.code == 1 && doctor.stdout.contains(told), "{doctor:?}");
    assert!(doctor.stdout.contains("`partita orchestrator delete q`"), "{doctor:?}");
}

/// Registers a flavor that types a command while it checks a configuration, if the returned file is
/// there, and removes that.
fn meddling_queue(machine: &Machine, command: &str) -> std::path::PathBuf {
    let once = machine.folder.path().join("once");
    let partita = env!("CARGO_BIN_EXE_partita");
    let meddle = format!(
        "    *'\"method\":\"validate\"'*) if /bin/rm '{}' 2>/dev/null; then {partita} {command} >&2; fi",
        once.display()
    );
    let content = QUEUE.replace("NAME", "queue").replace("TYPE", "orchestrator");
    let content = content.replace("SCHEMA", SCHEMA);
    let content = content.replace("    *) answer", &format!("{meddle}; answer"));
    register(machine, &program(machine, "queue", &content));
    once
}

#[test]
fn a_component_whose_flavor_is_deleted_meanwhile_is_not_registered() {
    let machine = Machine::new();
    let once = meddling_queue(&machine, "orchestrator flavor delete queue");
    std::fs::write(once, "").expect("a file");
    let register = ["orchestrator", "register", "q", "--flavor=queue", "--queue=a"];
    machine.refuses(&register, 1, "there is no orchestrator flavor `queue`");
    assert_eq!(machine.json(&["orchestrator", "list"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn of_two_updates_at_once_one_is_refused_and_none_is_lost() {
    let machine = Machine::new();
    let once = meddling_queue(&machine, "orchestrator update q --nodes=5");
    machine.ok(&["orchestrator", "register", "q", "--flavor=queue", "--queue=a"]);
    std::fs::write(once, "").expect("a file");
    let told = "`q` has been changed by another command meanwhile";
    machine.refuses(&["orchestrator", "update", "q", "--queue=b"], 1, told);
    let config = &machine.json(&["orchestrator", "describe", "q"])["config"];
    assert_eq!(*config, json!({ "queue": "a", "nodes": 5 }));
}

#[test]
fn doctor_does_not_wait_for_a_flavor_that_hangs() {
    let machine = Machine::new();
    let hang = machine.folder.path().join("hang");
    let waits = format!("#!/bin/sh\nwhile [ -e '{}' ]; do sleep 0.1; done\n", hang.display());
    let content = QUEUE.replace("NAME", "queue").replace("TYPE", "orchestrator");
    let content = content.replace("SCHEMA", "{}").replacen("#!/bin/sh\n", &waits, 1);
    register(&machine, &program(&machine, "queue", &content));
    std::fs::write(&hang, "").expect("a file");
    let began = std::time::Instant::now();
    let checks = machine.run(&["doctor", "--output", "json"]).stdout;
    assert!(began.elapsed() < std::time::Duration::from_secs(30), "{checks}");
    assert!(checks.contains("`queue` did not say within 5s what it is"), "{checks}");
}
