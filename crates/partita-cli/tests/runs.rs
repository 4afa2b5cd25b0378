//! Runs, logs, artifacts and lineage, from the command line.

#![allow(clippy::expect_used, clippy::panic, reason = "tests may panic")]

mod support;

use std::process::Command;
use std::sync::Arc;

use partita_core::run::Target;
use partita_core::stack::ComponentType;
use partita_engine::home::Home;
use partita_engine::metadata::{MetadataStore, Registry};
use partita_engine::runs::{LiveRun, NewRun};
use serde_json::json;
use support::executed::{Broken, begin, deployment, make_run, place};
use support::{Machine, ended, text};

#[test]
fn a_run_is_listed_described_and_read() {
    let machine = Machine::new();
    let id = make_run(&machine, "odd $name", "train", None, true);
    let listed = machine.json(&["runs", "list"]);
    assert_eq!((&listed[0]["id"], &listed[0]["status"]), (&json!(id), &json!("completed")));
    for reference in ["latest", "odd $name", &id, &id[..20]] {
        assert_eq!(machine.json(&["runs", "describe", reference])["id"], id.as_str());
    }
    let run = machine.json(&["runs", "describe"]);
    let keys: Vec<&str> = run.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "id",
            "name",
            "pipeline",
            "status",
            "stack",
            "orchestrator",
            "orchestrator_run_id",
            "deployment_id",
            "started_at",
            "ended_at",
            "duration_s",
            "resumed_at",
            "resumed_from",
            "error",
            "hook_failures",
            "parameters",
            "metadata",
            "steps",
        ]
    );
    assert_eq!(run["steps"]["train"]["upstream"], json!(["load"]));
    let yaml = machine.ok(&["runs", "describe", "--output", "yaml"]);
    assert!(yaml.contains("status: completed"), "{yaml}");
    let table = machine.ok(&["runs", "describe", "-v"]);
    assert!(table.contains("odd $name") && table.contains("builtins.int"), "{table}");
    assert_eq!(machine.json(&["runs", "list", "--status", "failed"]), json!([]));
}

#[test]
fn times_are_those_of_the_readers_zone() {
    let machine = Machine::new();
    make_run(&machine, "first", "train", None, true);
    let started = machine.json(&["runs", "describe"])["started_at"].clone();
    let started = format!("--date={}", started.as_str().expect("a time"));
    for zone in ["Asia/Tokyo", "America/New_York", "EST5EDT", "UTC"] {
        let date = Command::new("date").args([&started, "+%F %T"]).env("TZ", zone).output();
        let date = String::from_utf8(date.expect("a date").stdout).expect("text");
        let shown = ended(machine.command(&["runs", "describe"]).env("TZ", zone)).stdout;
        assert!(shown.contains(date.trim()), "{zone}: {date}{shown}");
    }
}

#[test]
fn logs_name_their_step_where_there_are_several() {
    let machine = Machine::new();
    make_run(&machine, "first", "train", None, true);
    assert_eq!(
        machine.ok(&["runs", "logs"]),
        "load: load says\nload: hello\ntrain: train says\ntrain: hello\n"
    );
    assert_eq!(machine.ok(&["runs", "logs", "first", "--step", "train"]), "train says\nhello\n");
    machine.refuses(&["runs", "logs", "first", "--step", "trian"], 1, "did you mean `train`?");
    machine.refuses(&["runs", "logs", "first", "--attempt", "3"], 1, "there is no attempt 3");
    make_run(&machine, "silent", "train", None, false);
    let silent = machine.run(&["runs", "logs", "silent", "--step", "train"]);
    assert_eq!(silent.stderr, "step `train` of run `silent` has printed nothing\n");
}

#[test]
fn the_logs_of_cached_steps_are_said_to_be_where_they_ran() {
    let machine = Machine::new();
    make_run(&machine, "the first", "train", None, true);
    make_run(&machine, "second", "train", None, true);
    let check = |words: &[&str], told: &str| {
        let ended = machine.run(&[&["runs", "logs", "second"], words].concat());
        assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (0, "", told));
    };
    check(
        &[],
        "run `second` has printed nothing\n\
         its cached steps ran in an earlier run: `partita runs logs 'the first'`\n",
    );
    check(
        &["--step", "train"],
        "step `train` of run `second` has printed nothing\n\
         it is cached, and ran in an earlier run: `partita runs logs 'the first' --step train`\n",
    );
}

#[test]
fn a_list_without_rows_says_why() {
    let machine = Machine::new();
    let check = |words: &[&str], told: &str| {
        let ended = machine.run(words);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, told), "{words:?}");
    };
    check(&["runs", "list"], "no pipeline has run in this home; `partita run FILE` runs one\n");
    check(
        &["artifacts", "list"],
        "no step has made a value in this home; `partita run FILE` runs a pipeline\n",
    );
    make_run(&machine, "first", "train", None, true);
    check(&["runs", "list"], "");
    check(
        &["runs", "list", "--pipeline", "win"],
        "no run is like that; `partita runs list` shows them all\n",
    );
    check(
        &["artifacts", "list", "--artifact", "win"],
        "no artifact version is like that; `partita artifacts list` shows them all\n",
    );
    check(&["artifacts", "list", "--artifact", "win", "--output", "json"], "");
}

#[test]
fn a_failure_is_shown_without_its_escape_sequences() {
    let machine = Machine::new();
    make_run(&machine, "first", "bad", None, true);
    let text = machine.ok(&["runs", "describe"]);
    assert!(
        text.contains("bad, attempt 1")
            && text.contains(r"no \u{1b}[31mluck")
            && text.contains("Traceback"),
        "{text}"
    );
    assert!(!text.contains('\x1b'), "{text}");
}

#[test]
fn artifacts_are_listed_described_and_traced() {
    let machine = Machine::new();
    make_run(&machine, "first", "train", None, true);
    assert_eq!(
        machine.json(&["artifacts", "list", "--run", "first"]).as_array().map(Vec::len),
        Some(2)
    );
    let artifact = machine.json(&["artifacts", "describe", "wine.train.output"]);
    assert_eq!(
        (&artifact["value"], &artifact["step"], &artifact["run"]),
        (&json!(42), &json!("train"), &json!("first"))
    );
    let lineage = machine.json(&["artifacts", "lineage", "wine.load.output"]);
    assert_eq!(lineage["downstream"][0]["step"], "train");
    let text = machine.ok(&["artifacts", "lineage", "wine.train.output"]);
    assert!(text.contains("comes from:") && text.contains("load"), "{text}");
    machine.refuses(
        &["artifacts", "describe", "wine.trian.output"],
        1,
        "did you mean `wine.train.output`?",
    );
    machine.refuses(
        &["artifacts", "describe", "trian.output"],
        1,
        "did you mean `wine.train.output`?",
    );
    for part in ["wine.train", "train", "train.output"] {
        machine.refuses(&["artifacts", "describe", part], 1, "did you mean `wine.train.output`?");
    }
    machine.refuses(&["runs", "list", "--status", "faild"], 2, "did you mean `failed`?");
}

#[test]
fn unknown_and_ambiguous_runs_are_told() {
    let machine = Machine::new();
    machine.refuses(&["runs", "describe", "latest"], 1, "no pipeline has run");
    let ids = [
        make_run(&machine, "first", "train", None, true),
        make_run(&machine, "second", "train", None, true),
    ];
    machine.refuses(&["runs", "describe", "frist"], 1, "did you mean `first`?");
    machine.refuses(&["runs", "describe", &ids[0][..4]], 1, "type more of the id");
    machine.refuses(&["runs", "logs", &"x".repeat(10_000)], 1, "there is no run");
    machine.refuses(&["runs", "list", "--limit", "few"], 2, "`few` is not a whole number");
}

#[test]
fn a_dead_run_is_interrupted_and_can_be_rebuilt_and_deleted() {
    let machine = Machine::new();
    make_run(&machine, "first", "train", None, true);
    make_run(&machine, "dead", "train", None, false);
    let before = machine.json(&["runs", "list"]);
    assert_eq!(before[0]["status"], "interrupted");
    for file in ["metadata.db", "metadata.db-wal", "metadata.db-shm"] {
        let _ = std::fs::remove_file(machine.home().join(file));
    }
    let doctor = machine.run(&["doctor"]).stdout;
    assert!(doctor.contains("`partita store rebuild` brings them back"), "{doctor}");
    machine.ok(&["store", "rebuild"]);
    assert_eq!(machine.json(&["runs", "list"]), before);
    let doctor = machine.run(&["doctor"]).stdout;
    assert!(doctor.contains("holds 2 runs\n"), "{doctor}");
    machine.refuses(&["runs", "delete", "dead", "frist"], 1, "did you mean `first`?");
    assert_eq!(machine.json(&["runs", "list"]), before);
    machine.ok(&["runs", "delete", "latest", "latest"]);
    assert_eq!(machine.json(&["runs", "list"])[0]["name"], "first");
    machine.ok(&["runs", "delete", "first"]);
    assert_eq!(machine.json(&["runs", "list"]), json!([]));
    for (words, told) in [
        (&["store", "gc", "--dry-run"][..], "would remove"),
        (&["store", "gc"], "removed"),
        (&["store", "gc"], "there is nothing to remove"),
        (&["store", "gc", "--cache"], "removed 2 cache entries"),
    ] {
        let said = machine.run(words).stderr;
        assert!(said.contains(told), "{words:?}: {said}");
    }
    machine.refuses(&["runs", "delete", "first"], 1, "there is no run `first`");
}

#[test]
fn a_run_whose_engine_has_a_bug_is_interrupted() {
    let machine = Machine::new();
    let run = begin(&machine, "unlucky", "train", None);
    let executed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        run.execute(place(&Broken), &[], drop).map(drop)
    }));
    assert!(executed.is_err());
    let run = machine.json(&["runs", "describe", "unlucky"]);
    assert_eq!((&run["status"], &run["ended_at"]), (&json!("interrupted"), &json!(null)));
    let load = &run["steps"]["load"];
    assert_eq!((&load["status"], &load["outputs"]), (&json!("waiting"), &json!({})));
}

#[test]
fn a_run_is_resumed_by_the_python_that_began_it() {
    let machine = Machine::new();
    let bin = machine.program("own/bin", "python3", "#!/bin/sh\necho \"$3 $4\"\n");
    machine.program("own/lib/python3.11/site-packages/partita", "__main__.py", "");
    let target = |root: &str| Target {
        source_root: root.to_owned(),
        source: "train:wine".to_owned(),
        interpreter: text(&bin.join("python3")),
        ..Target::default()
    };
    let root = text(&machine.work());
    let id = make_run(&machine, "dead", "train", Some(target(&root)), false);
    let printed = machine.ok(&["runs", "resume", "dead", "--param", "depth=7"]);
    let (verb, request) = printed.split_once(' ').expect("two words");
    let request: serde_json::Value = serde_json::from_str(request).expect("JSON");
    assert_eq!(
        (verb, &request["run_id"], &request["target"]),
        ("resume", &json!(id), &json!("train:wine"))
    );
    assert_eq!(
        (&request["source_root"], &request["parameters"]),
        (&json!(root), &json!({ "depth": "7" }))
    );
    make_run(&machine, "lost", "train", Some(target("/gone")), false);
    machine.refuses(&["runs", "resume", "lost"], 1, "`/gone`, which is no longer there");
}

#[test]
fn what_cannot_be_resumed_is_said() {
    let machine = Machine::new();
    make_run(&machine, "typed", "train", None, false);
    machine.refuses(&["runs", "resume", "typed"], 1, "was not started from a file");
    machine.refuses(&["runs", "resume", "typed", "--param", "x"], 2, "NAME=VALUE");
}

#[test]
fn a_run_that_goes_on_is_neither_resumed_nor_deleted() {
    let machine = Machine::new();
    let _live = begin(&machine, "live", "train", None);
    assert_eq!(machine.json(&["runs", "describe", "live"])["status"], "running");
    machine.refuses(&["runs", "resume", "live"], 1, "is being driven");
    machine.refuses(&["runs", "delete", "live"], 1, "run `live` is driven by process");
    let doctor = ended(&mut machine.command(&["doctor"]));
    assert!(doctor.stdout.contains("none is interrupted"), "{doctor:?}");
}

#[test]
fn runs_of_a_store_that_is_gone_are_listed_and_not_forgotten() {
    let machine = Machine::new();
    make_run(&machine, "done", "train", None, true);
    let store = machine.home().join("store");
    std::fs::rename(&store, machine.work().join("moved")).expect("moved");
    let gone = "the folder of the component `default` is not there; bring it back";
    for words in [&["runs", "logs", "done"][..], &["runs", "delete", "done"], &["store", "rebuild"]]
    {
        machine.refuses(words, 3, gone);
    }
    assert_eq!(machine.json(&["runs", "list"])[0]["name"], "done");
    assert!(!store.exists());
}

#[test]
fn a_run_whose_deployment_is_damaged_is_listed_and_told_of() {
    let machine = Machine::new();
    make_run(&machine, "done", "train", None, true);
    for name in ["metadata.db", "metadata.db-wal", "metadata.db-shm"] {
        let _ = std::fs::remove_file(machine.home().join(name));
    }
    let folder = machine.home().join("store/deployments");
    let file = std::fs::read_dir(&folder).expect("a folder").next().expect("one").expect("a file");
    std::fs::write(file.path(), "{").expect("written");
    let rebuilt = machine.run(&["store", "rebuild"]);
    assert!(rebuilt.code == 1 && rebuilt.stderr.contains("1 document could not be read"));
    machine.refuses(&["runs", "describe", "done"], 1, "the document `deployments/");
    assert_eq!(machine.json(&["runs", "list"])[0]["status"], "completed");
    machine.ok(&["runs", "delete", "done"]);
}

#[test]
fn runs_that_a_changed_artifact_store_leaves_behind_are_told_of() {
    let machine = Machine::new();
    machine.ok(&["artifact-store", "register", "big", "--flavor=local", "--durability=power"]);
    let update = |path: &str| {
        let ended = machine.run(&["artifact-store", "update", "big", &format!("--path={path}")]);
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.stderr
    };
    let old = text(&machine.work().join("old store"));
    assert!(!update(&old).contains("warning"), "it had no runs yet");
    let home = Home::open(&machine.home()).expect("a home");
    let big = home.metadata().component(ComponentType::ArtifactStore, "big").expect("there");
    let store = home.artifact_store(&big).expect("a store");
    for name in ["first", "second"] {
        let deployment = Arc::new(deployment(&machine, "train"));
        let new = NewRun {
            deployment,
            name: Some(name.to_owned()),
            target: None,
            user: None,
            resumed_from: None,
        };
        let metadata: Arc<dyn MetadataStore> = Arc::clone(home.metadata()) as _;
        LiveRun::begin(new, Arc::clone(&store), metadata).expect("a run");
    }
    drop(home);
    assert!(!update(&old).contains("warning"), "it stays where it is");
    let told = update("/elsewhere");
    for part in [
        "warning: 2 runs (`second`, `first`) stay in `file:///",
        "partita store rebuild --artifact-store big",
        "partita artifact-store register NAME --flavor=local '--path=/",
    ] {
        assert!(told.contains(part), "{told}");
    }
    update(&old);
    let deleted = machine.run(&["artifact-store", "delete", "big"]);
    assert!(deleted.code == 0 && deleted.stderr.contains("warning: 2 runs"), "{deleted:?}");
    machine.refuses(&["runs", "logs", "first"], 3, "no registered component keeps anything there");
}
