//! Databases that are fresh, shared, damaged, of another version, or may not be written to.

use std::sync::Barrier;

use rusqlite::Connection;

use super::*;

#[test]
fn a_fresh_home_may_be_opened_by_many_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new/metadata.db");
    let barrier = Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                let index = SqliteMetadataStore::open(&path).expect("opened");
                assert_eq!(index.stacks().expect("stacks").len(), 1);
            });
        }
    });
}

#[test]
fn writers_of_one_home_wait_for_one_another_and_lose_nothing() {
    let home = Home::new();
    let deployment = chain(&["load", "train"]);
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let (home, deployment) = (&home, &deployment);
            scope.spawn(move || {
                let index = SqliteMetadataStore::open(&home.database()).expect("opened");
                let home = Home {
                    folder: tempfile::tempdir().expect("a folder"),
                    store: home.store.clone(),
                    index: Arc::new(index),
                };
                for run in 0..20 {
                    let mut engine = Engine::start(&home, writer * 20 + run, deployment);
                    for step in 0..2 {
                        engine.begin(step);
                        engine.succeed(step);
                    }
                    engine.end(RunStatus::Completed);
                }
            });
        }
    });
    let completed = RunFilter { status: Some(RunStatus::Completed), ..RunFilter::default() };
    assert_eq!(home.index.runs(&completed).expect("runs").len(), 40);
    assert_eq!(home.index.versions(&VersionFilter::default()).expect("versions").len(), 80);
}

#[test]
fn a_newer_database_is_refused_and_left_alone() {
    let home = Home::new();
    let connection = Connection::open(home.database()).expect("opened");
    connection.pragma_update(None, "user_version", 99).expect("changed");
    let error = SqliteMetadataStore::open(&home.database()).expect_err("refused");
    assert!(matches!(error, MetadataError::Newer { found: 99, .. }), "{error}");
    assert!(error.to_string().contains("PARTITA_HOME"));
}

#[test]
fn a_file_that_is_no_database_of_ours_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let (text, foreign) = (folder.path().join("text"), folder.path().join("foreign"));
    std::fs::write(&text, "not a database, but long enough to be taken for one. ".repeat(100))
        .expect("written");
    Connection::open(&foreign)
        .and_then(|c| c.execute_batch("CREATE TABLE theirs (x)"))
        .expect("made");
    for path in [text, foreign] {
        let error = SqliteMetadataStore::open(&path).expect_err("refused");
        assert!(matches!(error, MetadataError::Corrupt { .. }), "{error}");
    }
}

#[test]
fn a_full_disk_and_a_read_only_home_are_told_apart() {
    let path = std::path::Path::new("metadata.db");
    let refused = |limit: &str| {
        let connection = Connection::open_in_memory().expect("opened");
        connection.execute_batch("CREATE TABLE t (x)").expect("made");
        connection.execute_batch(limit).expect("limited");
        let error = connection
            .execute("INSERT INTO t VALUES (zeroblob(1000000))", [])
            .expect_err("refused");
        MetadataError::of_sqlite(path, &error)
    };
    assert!(matches!(refused("PRAGMA max_page_count = 2"), MetadataError::Full { .. }));
    assert!(matches!(refused("PRAGMA query_only = ON"), MetadataError::ReadOnly { .. }));
    let error = SqliteMetadataStore::open(std::path::Path::new("/proc/partita/metadata.db"))
        .expect_err("refused");
    assert!(error.to_string().contains("PARTITA_HOME"), "{error}");
}
