//! What is made again from documents is what was written while runs went on.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::seam::Seam;
use super::*;

#[derive(Debug, Clone)]
enum Happening {
    Expand(u32),
    Begin(Unit),
    Succeed(Unit),
    Fail(Unit),
    Take(usize),
    Skip(usize),
    Cancel(Unit),
    Note(u8),
    Resume,
    Flush,
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Ends(RunStatus),
    Dies,
}

const STEPS: [&str; 4] = ["load", "train on it", "test/évaluer*", "report"];
/// The step among them that is mapped.
const MAPPED: usize = 2;

fn happening() -> impl Strategy<Value = Happening> {
    let step = 0..STEPS.len();
    let unit = || {
        let step = prop_oneof![Just(0), Just(1), Just(3)].prop_map(Unit::from);
        prop_oneof![3 => step, 2 => (0..3_u32).prop_map(|item| Unit::item(MAPPED, item))]
    };
    prop_oneof![
        2 => (1..4_u32).prop_map(Happening::Expand),
        4 => unit().prop_map(Happening::Begin),
        4 => unit().prop_map(Happening::Succeed),
        2 => unit().prop_map(Happening::Fail),
        1 => step.clone().prop_map(Happening::Take),
        1 => step.clone().prop_map(Happening::Skip),
        1 => unit().prop_map(Happening::Cancel),
        1 => step.prop_map(|step| Happening::Cancel(step.into())),
        1 => any::<u8>().prop_map(Happening::Note),
        1 => Just(Happening::Resume),
        1 => Just(Happening::Flush),
    ]
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::Ends(RunStatus::Completed)),
        Just(Fate::Ends(RunStatus::Failed)),
        Just(Fate::Ends(RunStatus::Cancelled)),
        Just(Fate::Dies),
    ]
}

/// Lets things happen that can: no attempt ends before it begins, no step succeeds twice.
fn play(
    engine: &mut Engine<'_>,
    happenings: &[Happening],
    other: Option<&HashMap<Unit, ArtifactVersion>>,
) {
    let mut open: HashMap<Unit, bool> = HashMap::new();
    for happening in happenings {
        let is_open = |unit: &Unit| open.get(unit).copied().unwrap_or(false);
        let is_free =
            |step: usize| !is_open(&step.into()) && !engine.versions.contains_key(&step.into());
        match happening {
            Happening::Expand(items) => engine.expand(MAPPED, *items),
            Happening::Begin(step) if !is_open(step) && !engine.versions.contains_key(step) => {
                engine.begin(*step);
                open.insert(*step, true);
            }
            Happening::Succeed(step) if is_open(step) => {
                engine.succeed(*step);
                open.insert(*step, false);
            }
            Happening::Fail(step) if is_open(step) => {
                engine.fail(*step);
                open.insert(*step, false);
            }
            Happening::Take(step) if is_free(*step) => {
                let there = Unit::from(*step);
                if let Some(version) = other.and_then(|versions| versions.get(&there)) {
                    engine.take(*step, version, &format!("{:032x}", 0));
                }
            }
            Happening::Skip(step) if is_free(*step) => engine.skip(*step),
            Happening::Cancel(step) if !engine.versions.contains_key(step) => {
                engine.cancel(*step);
                open.insert(*step, false);
            }
            Happening::Note(value) => engine.note("seed", &value.to_string()),
            Happening::Resume => {
                engine.resume();
                open.clear();
            }
            Happening::Flush => engine.writer.flush().expect("flushed"),
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(7),
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_rebuilt_index_shows_what_the_live_one_did(
        runs in proptest::collection::vec((proptest::collection::vec(happening(), 0..24), fate()), 1..4),
    ) {
        let home = Home::new();
        let deployment = chain(&STEPS);
        let mut first = None;
        for (number, (happenings, fate)) in (0..).zip(&runs) {
            let mut engine = Engine::start(&home, number, &deployment);
            play(&mut engine, happenings, first.as_ref());
            first.get_or_insert_with(|| engine.versions.clone());
            match fate {
                Fate::Ends(status) => engine.end(*status),
                Fate::Dies => engine.die(),
            }
        }
        let before = home.everything();
        prop_assert!(!before.contains("\"status\": \"running\""), "{before}");
        let rebuilt = home.rebuilt();
        prop_assert_eq!(before, rebuilt.everything());
    }
}

#[test]
fn deleted_runs_do_not_come_back_and_their_versions_stay_known_where_they_were_taken() {
    let home = Home::new();
    let deployment = chain(&["load", "train"]);
    let mut maker = Engine::start(&home, 0, &deployment);
    maker.begin(0);
    maker.succeed(0);
    let version = maker.versions[&Unit::from(0)].clone();
    maker.end(RunStatus::Completed);
    let mut taker = Engine::start(&home, 1, &deployment);
    taker.take(0, &version, &format!("{:032x}", 0));
    taker.begin(1);
    taker.succeed(1);
    taker.end(RunStatus::Completed);

    let before = Artifacts::new(&*home.index).lineage(&version.id).expect("lineage");
    assert_eq!((before.upstream[0].run.as_str(), before.upstream.len()), ("run-0", 1));
    assert_eq!((before.downstream[0].step.as_str(), before.downstream.len()), ("train", 1));

    home.with_runs(|runs| runs.delete("run-0")).expect("deleted");
    let after = Artifacts::new(&*home.index).lineage(&version.id).expect("lineage");
    assert_eq!(after.upstream[0].run, "run-1");
    let everything = home.everything();
    assert!(!everything.contains("\"run-0\""));
    assert_eq!(everything, home.rebuilt().everything());
}

#[test]
fn a_run_whose_engine_died_is_interrupted_and_its_open_attempt_says_why() {
    let home = Home::new();
    let mut engine = Engine::start(&home, 0, &chain(&["load", "train"]));
    engine.begin(0);
    engine.succeed(0);
    engine.begin(1);
    engine.die();
    let view = home.get("latest").expect("a run");
    assert_eq!((view.status, view.ended_at), (RunStatus::Interrupted, None));
    assert_eq!(view.steps["load"].status, StepStatus::Completed);
    let train = &view.steps["train"];
    assert_eq!(
        (train.status, train.attempts[0].status),
        (StepStatus::Waiting, AttemptStatus::Interrupted)
    );
    assert_eq!(train.attempts[0].error.as_deref(), Some("the engine ended while this attempt ran"));
}

#[test]
fn a_run_that_an_engine_drives_is_left_to_it() {
    let home = Home::new();
    let mut engine = Engine::start(&home, 0, &chain(&["load"]));
    engine.begin(0);
    engine.writer.flush().expect("flushed");
    let view = home.get("run-0").expect("a run");
    assert_eq!((view.status, view.steps["load"].status), (RunStatus::Running, StepStatus::Running));
    let rebuilt = home.with_runs(|runs| runs.rebuild(&*home.store)).expect("rebuilt");
    assert_eq!((rebuilt.live, rebuilt.runs), (1, 0));
    assert!(matches!(
        home.with_runs(|runs| runs.delete("run-0")),
        Err(MetadataError::Store(crate::store::StoreError::LeaseHeld { .. }))
    ));
}

#[test]
fn a_run_that_never_got_a_header_is_forgotten() {
    let home = Home::new();
    let engine = Engine::start(&home, 0, &chain(&["load"]));
    home.store.delete(&layout::run_header(&engine.run_id)).expect("deleted");
    engine.die();
    assert!(matches!(home.get("run-0"), Err(MetadataError::NotFound { .. })));
}

#[test]
fn a_run_that_begins_and_ends_during_a_rebuild_is_not_forgotten() {
    let home = Home::new();
    let first = Engine::start(&home, 0, &chain(&["load"]));
    let header = layout::run_header(&first.run_id);
    first.end(RunStatus::Completed);
    let before = |_: &str, path: &str| {
        if path == header && home.get("run-1").is_err() {
            Engine::start(&home, 1, &chain(&["load"])).end(RunStatus::Completed);
        }
    };
    let seam = Seam { store: home.store.clone(), before };
    let rebuilt = home.with_runs(|runs| runs.rebuild(&seam)).expect("rebuilt");
    assert_eq!((rebuilt.runs, rebuilt.forgotten), (1, 0));
    assert_eq!(home.get("run-1").expect("a run").status, RunStatus::Completed);
}

#[test]
fn a_damaged_document_is_told_and_costs_only_what_it_says() {
    let home = Home::new();
    let mut engine = Engine::start(&home, 0, &chain(&["load", "train"]));
    engine.begin(0);
    engine.succeed(0);
    engine.begin(1);
    engine.succeed(1);
    let commit = layout::commit(&engine.run_id, 1, "train");
    home.store.write(&commit, Bytes::from_static(b"{\"version\":1,")).expect("written");
    engine.die();
    let rebuilt = home.with_runs(|runs| runs.rebuild(&*home.store)).expect("rebuilt");
    assert_eq!((rebuilt.runs, rebuilt.problems.len()), (1, 1));
    let view = home.get("run-0").expect("a run");
    assert_eq!(view.steps["load"].status, StepStatus::Completed);
    assert_eq!(view.steps["train"].status, StepStatus::Waiting);
    assert!(view.error.expect("an error").contains("commit.json"));
}

#[test]
fn an_end_from_before_a_resume_is_not_the_end() {
    let home = Home::new();
    let deployment = chain(&["load"]);
    let mut engine = Engine::start(&home, 0, &deployment);
    engine.begin(0);
    engine.fail(0);
    let run_id = engine.run_id.clone();
    engine.end(RunStatus::Failed);
    assert_eq!(home.get("run-0").expect("a run").status, RunStatus::Failed);
    let line = serde_json::json!({ "at": "2033-01-01T00:00:00Z", "event": "resumed" }).to_string();
    home.append_event(&run_id, &line);
    home.index.apply(&[Change::RunResumed { run_id }]).expect("resumed");
    assert_eq!(home.get("run-0").expect("a run").status, RunStatus::Interrupted);
}

/// Completes run 0 of `load` and `train`, then returns its home with `path` damaged.
fn damaged(path: impl Fn(&Deployment) -> String) -> (Home, String) {
    let home = Home::new();
    let deployment = chain(&["load", "train"]);
    for number in 0..2 {
        let deployment = if number == 0 { deployment.clone() } else { chain(&["report"]) };
        let mut engine = Engine::start(&home, number, &deployment);
        for step in 0..deployment.steps.len() {
            engine.begin(step);
            engine.succeed(step);
        }
        engine.end(RunStatus::Completed);
    }
    let path = path(&deployment);
    home.store.write(&path, Bytes::from_static(b"{\"version\": 1, ")).expect("written");
    (home, path)
}

/// Makes the index again, where documents are damaged.
fn rebuilt_with_problems(mut home: Home) -> Home {
    let folder = home.folder.path().join("new.db");
    home.index = Arc::new(SqliteMetadataStore::open(&folder).expect("a new index"));
    let store = home.store.clone();
    let rebuilt = home.with_runs(|runs| runs.rebuild(&*store)).expect("rebuilt");
    assert_eq!(rebuilt.problems.len(), 1, "{:?}", rebuilt.problems);
    home
}

#[test]
fn a_run_whose_deployment_is_damaged_says_so_until_it_is_mended() {
    let (home, path) = damaged(|deployment| layout::deployment(&deployment.id));
    let home = rebuilt_with_problems(home);
    let error = home.get("run-0").expect_err("damaged").to_string();
    for part in [path.as_str(), home.store.uri(), "restore the file"] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(home.get("run-1").expect("a run").steps.len(), 1);
    let runs = home.with_runs(|runs| runs.list(&RunFilter::default())).expect("runs");
    assert_eq!(runs.iter().map(|run| &*run.name).collect::<Vec<_>>(), ["run-1", "run-0"]);
    assert!(runs[1].error.as_ref().is_some_and(|error| error.contains(&path)), "{runs:?}");

    let whole = serde_json::to_vec(&*chain(&["load", "train"])).expect("JSON");
    home.store.write(&path, Bytes::from(whole)).expect("written");
    let mended = home.get("run-0").expect("a run");
    assert_eq!((mended.steps.len(), mended.error), (2, None));
}

#[test]
fn a_completed_run_of_which_a_commit_is_damaged_says_so() {
    let (home, path) = damaged(|_| layout::commit(&format!("{:032x}", 0), 1, "train"));
    let home = rebuilt_with_problems(home);
    let run = home.get("run-0").expect("a run");
    assert_eq!(run.status, RunStatus::Completed);
    assert!(run.error.as_ref().is_some_and(|error| error.contains(&path)), "{run:?}");
}

#[test]
fn an_engine_makes_the_rows_of_its_own_run_again_where_they_could_not_be_written() {
    let home = Home::new();
    let mut engine = Engine::start(&home, 0, &chain(&["load", "report"]));
    let run_id = Arc::clone(&engine.run_id);
    engine.begin(0);
    engine.succeed(0);
    engine.end(RunStatus::Failed);
    let expected = home.everything();
    let _lease = home.store.lease(&run_id).expect("nobody has it");
    assert!(home.index.forget_run(&run_id, &|| false).expect("forgotten"));
    write_again(&*home.index, &*home.store, &run_id).expect("written");
    assert_eq!(home.everything(), expected);
}
