//! What describe, list and find answer.

use super::*;

/// Run 0: a failed attempt and a success, then a step that fails for good, then one that never ran.
fn failed_run(home: &Home) {
    let mut engine = Engine::start(home, 0, &chain(&["load", "train", "report"]));
    engine.begin(0);
    engine.fail(0);
    engine.begin(0);
    engine.succeed(0);
    engine.begin(1);
    engine.fail(1);
    engine.begin(1);
    engine.fail(1);
    engine.skip(2);
    engine.note("seed", "7");
    engine.end(RunStatus::Failed);
}

fn keys(value: &serde_json::Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn the_json_of_a_run_has_the_documented_keys_in_order() {
    let home = Home::new();
    failed_run(&home);
    let view = serde_json::to_value(home.get("run-0").expect("a run")).expect("JSON");
    assert_eq!(
        keys(&view).join(" "),
        "id name pipeline status stack orchestrator orchestrator_run_id deployment_id started_at ended_at \
         duration_s resumed_at resumed_from error hook_failures parameters metadata steps"
    );
    assert_eq!(keys(&view["steps"]), ["load", "train", "report"]);
    let load = &view["steps"]["load"];
    assert_eq!(
        keys(load).join(" "),
        "status cached cache_reason upstream started_at ended_at duration_s attempts inputs outputs metadata"
    );
    assert_eq!(
        keys(&load["attempts"][0]).join(" "),
        "number status started_at ended_at exit_code error log"
    );
    assert_eq!(
        keys(&load["outputs"]["output"]).join(" "),
        "artifact artifact_version uri type materializer digest size"
    );
    assert_eq!(load["attempts"][0]["error"], "ValueError: no such digit");
    assert_eq!(load["attempts"][1]["status"], "completed");
    assert_eq!(view["steps"]["train"]["status"], "failed");
    assert_eq!(view["steps"]["train"]["upstream"][0], "load");
    assert_eq!(view["steps"]["report"]["reason"], "`load` failed");
    assert_eq!(view["metadata"]["seed"], 7);
}

#[test]
fn a_mapped_step_has_its_items_each_like_a_step() {
    let home = Home::new();
    let mut engine = Engine::start(&home, 0, &chain(&["load", "train*"]));
    engine.begin(0);
    engine.succeed(0);
    engine.expand(1, 3);
    engine.begin(Unit::item(1, 0));
    engine.fail(Unit::item(1, 0));
    engine.begin(Unit::item(1, 0));
    engine.succeed(Unit::item(1, 0));
    engine.begin(Unit::item(1, 1));
    engine.cancel(Unit::item(1, 1));
    engine.cancel(1);
    engine.end(RunStatus::Cancelled);
    let view = serde_json::to_value(home.get("run-0").expect("a run")).expect("JSON");
    let (load, train) = (&view["steps"]["load"], &view["steps"]["train*"]);
    assert!(load.get("items").is_none());
    assert_eq!(
        (&train["status"], train["attempts"].as_array()),
        (&"cancelled".into(), Some(&vec![]))
    );
    let items = train["items"].as_array().expect("items");
    let statuses: Vec<_> =
        items.iter().map(|item| item["status"].as_str().expect("a word")).collect();
    assert_eq!(statuses, ["completed", "cancelled", "cancelled"]);
    assert_eq!(keys(&items[0]), keys(load));
    assert_eq!(items[0]["attempts"].as_array().map(Vec::len), Some(2));
    let log = items[0]["attempts"][1]["log"].as_str().expect("a URI");
    assert!(log.ends_with(".items/0.attempt-2.log.jsonl"), "{log}");
    assert_eq!(train["started_at"], items[0]["started_at"]);
}

#[test]
fn a_run_says_its_parameters_when_it_was_resumed_and_which_hooks_raised() {
    let home = Home::new();
    let mut deployment = (*chain(&["load"])).clone();
    let depth = Literal::parse("3").expect("a value");
    deployment.pipeline.parameters.insert("depth".to_owned(), depth);
    deployment.id = deployment.content_id().expect("an id");
    let mut engine = Engine::start(&home, 0, &Arc::new(deployment));
    let (step, hook) = (Some("load".to_owned()), "on_failure".to_owned());
    engine.event(EventKind::HookFailed { step, item: None, hook, error: "no mail".to_owned() });
    engine.resume();
    let resumed_at = Timestamp(engine.now);
    engine.end(RunStatus::Completed);
    let run = home.get("latest").expect("a run");
    assert_eq!(run.parameters.expect("parameters")["depth"].text(), "3");
    assert_eq!(run.resumed_at, [resumed_at]);
    let [failure] = run.hook_failures.as_slice() else { panic!("{:?}", run.hook_failures) };
    assert_eq!((failure.step.as_deref(), failure.error.as_str()), (Some("load"), "no mail"));
}

#[test]
fn a_step_takes_the_time_of_its_attempts_and_says_that_it_was_interrupted() {
    let home = Home::new();
    let mut engine = Engine::start(&home, 0, &chain(&["load", "train"]));
    engine.begin(0);
    engine.fail(0);
    engine.now += 3_600_000_000;
    engine.begin(0);
    engine.succeed(0);
    engine.begin(1);
    engine.die();
    let steps = home.get("latest").expect("a run").steps;
    assert_eq!(steps["load"].duration_s, Some(2.0));
    let train = &steps["train"];
    assert_eq!((train.status, train.duration_s), (StepStatus::Waiting, None));
    assert_eq!(train.reason.as_deref(), Some("attempt 1 was interrupted"));
    assert_eq!(train.attempts[0].status, AttemptStatus::Interrupted);
}

#[test]
fn inputs_and_outputs_say_where_their_bytes_are() {
    let home = Home::new();
    let mut engine = Engine::start(&home, 0, &chain(&["load", "train", "report"]));
    for step in 0..3 {
        engine.begin(step);
        engine.succeed(step);
    }
    engine.end(RunStatus::Completed);
    let steps = home.get("latest").expect("a run").steps;
    let uri = home.store.uri();
    let load = &steps["load"].outputs["output"];
    assert_eq!(load.uri, format!("{uri}/artifacts/digits.load.output/{}", load.artifact_version));
    assert_eq!(steps["train"].inputs["x"].uri, load.uri);
    let run = format!("{:032x}", 0);
    let inlined = format!("{uri}/runs/{run}/steps/1-train.commit.json#/outputs/output/value");
    assert_eq!(steps["train"].outputs["output"].uri, inlined);
    assert_eq!(steps["report"].inputs["x"].uri, inlined);
    let artifacts = Artifacts::new(&*home.index);
    let view = artifacts.find("digits.train.output").expect("an artifact");
    let version = artifacts.read(&*home.store, &view).expect("read");
    assert_eq!(version.value.expect("a value").text(), "0.97");
}

#[test]
fn runs_are_found_by_name_id_beginning_or_as_the_latest() {
    let home = Home::new();
    for number in [0, 1, 0x1f00] {
        Engine::start(&home, number, &chain(&["load"])).end(RunStatus::Completed);
    }
    let name = |reference: &str| {
        home.get(reference).map(|run| run.name).map_err(|error| error.to_string())
    };
    let full = format!("{:032x}", 1);
    assert_eq!(name("run-1").as_deref(), Ok("run-1"));
    assert_eq!(name(&full).as_deref(), Ok("run-1"));
    assert_eq!(name("latest").as_deref(), Ok("run-7936"));
    assert_eq!(
        name("1").expect_err("unknown"),
        "there is no run `1`; `partita runs list` shows them all"
    );
    assert_eq!(name("00000000000000000000000000001f").as_deref(), Ok("run-7936"));
    assert!(name("000").expect_err("ambiguous").starts_with("`000` may mean several runs: `"));
    assert_eq!(
        name("run-11").expect_err("unknown"),
        "there is no run `run-11` (did you mean `run-1`?); `partita runs list` shows them all"
    );
}

#[test]
fn a_name_is_given_to_one_run_only() {
    let home = Home::new();
    failed_run(&home);
    let header = home.get("run-0").expect("a run").header.expect("a header");
    let other = RunHeader { id: "f".repeat(32), ..header };
    let start = RunStart {
        header: other,
        deployment: None,
        store: String::new(),
        status: RunStatus::Running,
    };
    assert!(matches!(home.index.start_run(&start), Err(MetadataError::Exists { .. })));
}

#[test]
fn the_previous_result_of_a_step_is_the_latest_committed_one() {
    let home = Home::new();
    let mut first = Engine::start(&home, 0, &chain(&["load", "train"]));
    for step in 0..2 {
        first.begin(step);
        first.succeed(step);
    }
    first.end(RunStatus::Completed);
    let changed = chain(&["train"]);
    let mut second = Engine::start(&home, 1, &changed);
    second.begin(0);
    second.fail(0);
    second.end(RunStatus::Failed);
    let own = PipelineAt { name: "digits", source_root: None, store: home.store.uri() };
    let previous =
        |step| home.index.previous_step_result(&own, step).expect("an answer").map(|(run, _)| run);
    assert_eq!(previous("train"), Some(format!("{:032x}", 0)));
    let mut third = Engine::start(&home, 2, &changed);
    third.begin(0);
    third.succeed(0);
    third.end(RunStatus::Completed);
    assert_eq!(previous("train"), Some(format!("{:032x}", 2)));
    assert_eq!(previous("load"), Some(format!("{:032x}", 0)));
    assert_eq!(previous("report"), None);
}

#[test]
fn what_the_index_refused_is_written_before_what_came_later() {
    let home = Home::new();
    let engine = Engine::start(&home, 0, &chain(&["load"]));
    let other = rusqlite::Connection::open(home.database()).expect("opened");
    let refuse = "BEGIN SELECT RAISE(ABORT, 'there is no room'); END";
    let trigger = format!("CREATE TRIGGER full BEFORE INSERT ON run_metadata {refuse}");
    other.execute_batch(&trigger).expect("refused");
    let (run_id, key, value) = (engine.run_id.clone(), "seed".to_owned(), "7".to_owned());
    engine.writer.record(Change::RunMetadata { run_id: run_id.clone(), key, value });
    assert!(engine.writer.flush().is_err());
    let (status, error) = (RunStatus::Completed, None);
    let end = RunEnd { version: VERSION, status, ended_at: Timestamp(9), error };
    engine.writer.record(Change::RunEnded { run_id: run_id.clone(), end });
    assert!(engine.writer.flush().is_err());
    // Else nobody would look whether all of it is there.
    let shown = || home.index.run(&run_id).expect("an answer").expect("a run");
    assert_eq!(shown().status, RunStatus::Running);
    other.execute_batch("DROP TRIGGER full").expect("taken");
    assert!(engine.writer.flush().is_ok());
    assert_eq!((shown().status, shown().metadata.len()), (RunStatus::Completed, 1));
}

#[test]
fn a_pipeline_is_only_compared_with_its_own_runs_in_its_own_store() {
    let home = Home::new();
    let mut engine = Engine::start(&home, 0, &chain(&["load"]));
    engine.begin(0);
    engine.succeed(0);
    engine.end(RunStatus::Completed);
    let run = format!("{:032x}", 0);
    let own = PipelineAt { name: "digits", source_root: None, store: home.store.uri() };
    let found = |of: &PipelineAt<'_>, before: &str| {
        let previous = home.index.previous_step_result(of, "load").expect("an answer");
        (home.index.has_other_runs(of, before).expect("an answer"), previous.is_some())
    };
    assert_eq!(found(&own, "another run"), (true, true));
    assert_eq!(found(&own, &run), (false, true));
    for other in [
        PipelineAt { name: "letters", ..own },
        PipelineAt { source_root: Some("/elsewhere"), ..own },
        PipelineAt { store: "file:///elsewhere", ..own },
    ] {
        assert_eq!(found(&other, "another run"), (false, false), "{other:?}");
    }
}
