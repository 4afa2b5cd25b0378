//! What collection removes and what it leaves.

use super::*;

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
    let version = engine.versions[&0].clone();
    let commit = layout::commit(&engine.run_id, 0, "load");
    let folder = put_version(home, &engine.run_id, &version.artifact, &version.id);
    engine.end(RunStatus::Completed);
    (folder, commit)
}

#[test]
fn what_a_commit_refers_to_stays_until_its_run_is_deleted() {
    let home = Home::new();
    let (kept, _) = completed_run(&home);
    let loser = put_version(&home, &format!("{:032x}", 0), "digits.load.output", "loser");
    std::mem::forget(home.store.staging("artifacts/x/1").expect("staging"));
    let collected = collect(&*home.store).expect("collected");
    assert_eq!((collected.artifact_versions, collected.staging, collected.deployments), (1, 1, 0));
    assert!(collected.bytes > 1000);
    assert!(exists(&home, &kept) && !exists(&home, &loser));

    home.with_runs(|runs| runs.delete("run-0")).expect("deleted");
    let collected = collect(&*home.store).expect("collected");
    assert_eq!((collected.artifact_versions, collected.deployments), (1, 1));
    assert!(!exists(&home, &kept));
    assert_eq!(collect(&*home.store).expect("collected"), Collected::default());
}

#[test]
fn a_cache_entry_keeps_its_artifacts_and_goes_when_they_are_gone() {
    let home = Home::new();
    let (folder, commit) = completed_run(&home);
    home.store.link(&commit, &layout::cache(&Digest::of(b"key"))).expect("linked");
    home.with_runs(|runs| runs.delete("run-0")).expect("deleted");
    assert_eq!(collect(&*home.store).expect("collected").artifact_versions, 0);
    assert!(exists(&home, &folder));
    home.store.delete(&folder).expect("deleted");
    assert_eq!(collect(&*home.store).expect("collected").cache_entries, 1);
}

#[test]
fn a_live_run_keeps_what_it_has_not_committed_yet() {
    let home = Home::new();
    let engine = Engine::start(&home, 0, &chain(&["load"]));
    let folder = put_version(&home, &engine.run_id, "digits.load.output", "new");
    let staging = home.store.staging("artifacts/x/1").expect("staging");
    assert_eq!(collect(&*home.store).expect("collected"), Collected::default());
    assert!(exists(&home, &folder) && staging.folder().exists());
    engine.die();
    assert_eq!(collect(&*home.store).expect("collected").artifact_versions, 1);
}

#[test]
fn nothing_is_removed_while_a_commit_cannot_be_read() {
    let home = Home::new();
    let (_, commit) = completed_run(&home);
    let loser = put_version(&home, "gone", "digits.load.output", "loser");
    home.store.write(&commit, Bytes::from_static(b"{\"version\": 9}")).expect("written");
    assert!(collect(&*home.store).is_err());
    assert!(exists(&home, &loser));
}

#[test]
fn what_an_unfinished_deletion_left_is_removed() {
    let home = Home::new();
    completed_run(&home);
    let run = format!("{:032x}", 0);
    home.store.delete(&layout::run_header(&run)).expect("deleted");
    assert_eq!(collect(&*home.store).expect("collected").runs, 1);
    assert!(!exists(&home, &layout::run(&run)));
}
