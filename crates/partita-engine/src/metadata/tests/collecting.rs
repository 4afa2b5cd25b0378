//! What collection removes and what it leaves.

use std::sync::{Mutex, mpsc};

use super::seam::Seam;
use super::*;
use crate::cache::CacheResolver;
use crate::drive::{Resolution, Resolver};
use crate::runs::{LiveRun, NewRun};
use crate::step_runner::RunContext;

/// Puts the files of an artifact version of `run` in the store, as a step does before it commits.
fn put_version(home: &Home, run_id: &str, artifact: &str, id: &str) -> String {
    let folder = layout::artifact_folder(artifact, id);
    let manifest = serde_json::json!({
        "version": 1, "artifact": artifact, "id": id, "type": "builtins.float", "format": "json",
        "digest": Digest::of(b"x"), "run_id": run_id, "step": "load", "created_at": "2026-01-01T00:00:00Z",
        "files": [{ "path": "data", "size": 1000, "digest": Digest::of(b"x") }],
    });
    let path = format!("{folder}/manifest.json");
    home.store.write(&path, Bytes::from(manifest.to_string())).expect("written");
    folder
}

fn exists(home: &Home, folder: &str) -> bool {
    !home.store.list(folder).expect("listed").is_empty()
}

/// Runs a step `load`, and returns its artifact's folder and its commit's path.
fn completed_run(home: &Home) -> (String, String) {
    let mut engine = Engine::start(home, 0, &chain(&["load"]));
    engine.begin(0);
    engine.succeed(0);
    let version = engine.versions[&Unit::from(0)].clone();
    let commit = layout::commit(&engine.run_id, 0, "load");
    let folder = put_version(home, &engine.run_id, &version.artifact, &version.id);
    engine.end(RunStatus::Completed);
    (folder, commit)
}

#[test]
fn the_items_of_a_list_stay_with_it() {
    let home = Home::new();
    let mut engine = Engine::start(&home, 0, &chain(&["load*"]));
    engine.expand(0, 1);
    engine.begin(Unit::item(0, 0));
    engine.succeed(Unit::item(0, 0));
    let run_id = engine.run_id.to_string();
    let item = engine.versions[&Unit::item(0, 0)].clone();
    let mut result = engine.result(0.into(), StepStatus::Completed);
    let listed = ArtifactVersion { id: "listed".to_owned(), ..item.clone() };
    let items = Some(Arc::new(vec![listed.clone()]));
    let list = ArtifactVersion { id: "list".to_owned(), items, ..item.clone() };
    result.outputs.insert("output".to_owned(), list);
    engine.commit(0.into(), result);
    let folders =
        [&item, &listed].map(|version| put_version(&home, &run_id, &version.artifact, &version.id));
    engine.end(RunStatus::Completed);
    let collected =
        collect(&*home.store, Removal::Removed, CacheEntries::Whole).expect("collected");
    assert_eq!(collected, Collected::default());
    assert!(folders.iter().all(|folder| exists(&home, folder)));
}

#[test]
fn what_a_commit_refers_to_stays_until_its_run_is_deleted() {
    let home = Home::new();
    let (kept, _) = completed_run(&home);
    let loser = put_version(&home, &format!("{:032x}", 0), "digits.load.output", "loser");
    std::mem::forget(home.store.staging("artifacts/x/1", "r").expect("staging"));
    let counted = collect(&*home.store, Removal::Counted, CacheEntries::Whole).expect("counted");
    assert!(exists(&home, &loser), "counting removes nothing");
    let collected =
        collect(&*home.store, Removal::Removed, CacheEntries::Whole).expect("collected");
    assert_eq!((collected.artifact_versions, collected.staging, collected.deployments), (1, 1, 0));
    assert!(collected.bytes > 1000);
    assert_eq!(counted, collected);
    assert!(exists(&home, &kept) && !exists(&home, &loser));

    home.with_runs(|runs| runs.delete("run-0")).expect("deleted");
    let collected =
        collect(&*home.store, Removal::Removed, CacheEntries::Whole).expect("collected");
    assert_eq!((collected.artifact_versions, collected.deployments), (1, 1));
    assert!(!exists(&home, &kept));
    assert_eq!(
        collect(&*home.store, Removal::Removed, CacheEntries::Whole).expect("collected"),
        Collected::default()
    );
}

#[test]
fn a_cache_entry_keeps_its_artifacts_and_goes_when_they_are_gone() {
    let home = Home::new();
    let (folder, commit) = completed_run(&home);
    home.store.link(&commit, &layout::cache(&Digest::of(b"key"))).expect("linked");
    home.with_runs(|runs| runs.delete("run-0")).expect("deleted");
    assert_eq!(
        collect(&*home.store, Removal::Removed, CacheEntries::Whole)
            .expect("collected")
            .artifact_versions,
        0
    );
    assert!(exists(&home, &folder));
    home.store.delete(&folder).expect("deleted");
    assert_eq!(
        collect(&*home.store, Removal::Removed, CacheEntries::Whole)
            .expect("collected")
            .cache_entries,
        1
    );
}

#[test]
fn a_cache_entry_that_no_run_has_goes_where_that_is_asked_for() {
    let home = Home::new();
    let (folder, commit) = completed_run(&home);
    home.store.link(&commit, &layout::cache(&Digest::of(b"key"))).expect("linked");
    let collected = || collect(&*home.store, Removal::Removed, CacheEntries::OfRuns);
    assert_eq!(collected().expect("collected"), Collected::default());
    home.with_runs(|runs| runs.delete("run-0")).expect("deleted");
    let removed = collected().expect("collected");
    assert_eq!((removed.cache_entries, removed.artifact_versions), (1, 1));
    assert!(!exists(&home, &folder));
}

#[test]
fn a_live_run_keeps_what_it_has_not_committed_yet() {
    let home = Home::new();
    let engine = Engine::start(&home, 0, &chain(&["load"]));
    let folder = put_version(&home, &engine.run_id, "digits.load.output", "new");
    let staging = home.store.staging("artifacts/x/1", "r").expect("staging");
    assert_eq!(
        collect(&*home.store, Removal::Removed, CacheEntries::Whole).expect("collected"),
        Collected::default()
    );
    assert!(exists(&home, &folder) && staging.folder().exists());
    engine.die();
    assert_eq!(
        collect(&*home.store, Removal::Removed, CacheEntries::Whole)
            .expect("collected")
            .artifact_versions,
        1
    );
}

#[test]
fn nothing_is_removed_while_a_commit_cannot_be_read() {
    let home = Home::new();
    let (_, commit) = completed_run(&home);
    let loser = put_version(&home, "gone", "digits.load.output", "loser");
    home.store.write(&commit, Bytes::from_static(b"{\"version\": 9}")).expect("written");
    assert!(collect(&*home.store, Removal::Removed, CacheEntries::Whole).is_err());
    assert!(exists(&home, &loser));
}

#[test]
fn what_an_unfinished_deletion_left_is_removed() {
    let home = Home::new();
    completed_run(&home);
    let run = format!("{:032x}", 0);
    home.store.delete(&layout::run_header(&run)).expect("deleted");
    assert_eq!(
        collect(&*home.store, Removal::Removed, CacheEntries::Whole).expect("collected").runs,
        1
    );
    assert!(!exists(&home, &layout::run(&run)));
}

/// Begins a run of `deployment`.
fn begin(store: Arc<dyn ArtifactStore>, index: Arc<SqliteMetadataStore>, of: Arc<Deployment>) {
    let new = NewRun { deployment: of, name: None, target: None, user: None, resumed_from: None };
    LiveRun::begin(new, store, index).expect("begun");
}

#[test]
fn a_run_that_begins_meanwhile_keeps_the_deployment_that_it_found() {
    let home = Home::new();
    let deployment = chain(&["load"]);
    Engine::start(&home, 0, &deployment).end(RunStatus::Completed);
    home.with_runs(|runs| runs.delete("run-0")).expect("deleted");
    let (tell, told) = mpsc::channel();
    let (store, index, of) = (home.store.clone(), home.index.clone(), deployment.clone());
    // The run begins when collection has listed what may go, and gets as far as it can.
    let begin_meanwhile = move || {
        let asks = tell.clone();
        let before = move |method: &str, _: &str| {
            if method == "hold" {
                let _ = asks.send("it asks whether it may");
            }
        };
        let thread = std::thread::spawn(move || {
            begin(Arc::new(Seam { store, before }), index, of);
            let _ = tell.send("it has begun");
        });
        told.recv().expect("it got so far");
        thread
    };
    let (begin_meanwhile, begun) = (Mutex::new(Some(begin_meanwhile)), Mutex::new(None));
    let before = |method: &str, path: &str| {
        if (method, path) == ("list", "cache")
            && let Some(begin_meanwhile) = begin_meanwhile.lock().expect("a lock").take()
        {
            *begun.lock().expect("a lock") = Some(begin_meanwhile());
        }
    };
    let seam = Seam { store: home.store.clone(), before };
    assert_eq!(
        collect(&seam, Removal::Removed, CacheEntries::Whole).expect("collected").deployments,
        1
    );
    let thread = begun.lock().expect("a lock").take().expect("it was let begin");
    thread.join().expect("it began");
    home.store.read(&layout::deployment(&deployment.id)).expect("the deployment is there");
}

#[test]
fn nothing_is_collected_while_a_pipeline_is_put_together() {
    let home = Home::new();
    completed_run(&home);
    let hold = home.store.hold().expect("held");
    let other = home.store.hold().expect("held by two");
    let literal = put_version(&home, "", "digits.load.path", "literal");
    let staging = home.store.staging("artifacts/new", "r").expect("staging");
    drop(other);
    let refused = collect(&*home.store, Removal::Removed, CacheEntries::Whole)
        .expect_err("refused")
        .to_string();
    assert!(refused.contains("a run is just beginning"), "{refused}");
    assert!(exists(&home, &literal) && staging.folder().exists());
    drop((hold, staging));
    assert_eq!(
        collect(&*home.store, Removal::Removed, CacheEntries::Whole)
            .expect("collected")
            .artifact_versions,
        1
    );
}

#[test]
fn a_deployment_that_no_run_names_goes_while_another_run_goes_on() {
    let home = Home::new();
    Engine::start(&home, 0, &chain(&["load"])).end(RunStatus::Completed);
    home.with_runs(|runs| runs.delete("run-0")).expect("deleted");
    let live = Engine::start(&home, 1, &chain(&["train"]));
    assert_eq!(
        collect(&*home.store, Removal::Removed, CacheEntries::Whole)
            .expect("collected")
            .deployments,
        1
    );
    let deployment = layout::deployment(&live.deployment.id);
    home.store.read(&deployment).expect("the live run's deployment stays");
}

#[test]
fn a_cached_result_that_is_collected_before_it_is_taken_is_made_again() {
    let home = Home::new();
    let deployment = chain(&["load"]);
    let (folder, commit) = completed_run(&home);
    let key = RunContext::new("new", Arc::clone(&deployment), home.store.clone())
        .key(0, &BTreeMap::new());
    home.store.link(&commit, &layout::cache(&key)).expect("linked");
    let store = home.store.clone();
    let before = move |method: &str, _: &str| {
        if method == "hold" {
            store.delete("cache").expect("another result takes its place");
            store.delete("runs").expect("deleted");
            collect(&*store, Removal::Removed, CacheEntries::Whole).expect("collected");
        }
    };
    let seam = Arc::new(Seam { store: home.store.clone(), before });
    let context = Arc::new(RunContext::new("new", deployment, seam));
    let resolver = CacheResolver::new(context, home.index.clone(), None, None);
    assert!(exists(&home, &folder));
    assert!(matches!(resolver.resolve(0.into()), Resolution::Run { reason: Some(_) }));
    assert!(!exists(&home, &folder));
}

#[test]
fn a_store_that_is_not_there_has_nothing_to_collect() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("none");
    let store = LocalArtifactStore::open(&path, Durability::Process).expect("a store");
    assert_eq!(
        collect(&store, Removal::Removed, CacheEntries::Whole).expect("collected"),
        Collected::default()
    );
    assert!(!path.exists());
}
