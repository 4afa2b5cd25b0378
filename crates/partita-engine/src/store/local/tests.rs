use super::*;

fn store() -> (tempfile::TempDir, LocalArtifactStore) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = LocalArtifactStore::open(folder.path(), Durability::Process).expect("a store");
    (folder, store)
}

#[test]
fn the_first_writer_wins_and_links_share_its_bytes() {
    let (_folder, store) = store();
    assert!(store.create("a/b.json", Bytes::from_static(b"1")).expect("created"));
    assert!(!store.create("a/b.json", Bytes::from_static(b"2")).expect("not created"));
    assert!(store.link("a/b.json", "c/d.json").expect("linked"));
    assert!(!store.link("a/b.json", "c/d.json").expect("not linked"));
    assert_eq!(store.read("c/d.json").expect("read").as_ref(), b"1");
    store.write("a/b.json", Bytes::from_static(b"3")).expect("written");
    assert_eq!(store.read("c/d.json").expect("read").as_ref(), b"1");
}

#[test]
fn paths_never_leave_the_store() {
    let (_folder, store) = store();
    for path in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/./b", "a/.."] {
        assert!(matches!(store.read(path), Err(StoreError::OutsideStore(_))), "{path}");
        assert!(matches!(store.delete(path), Err(StoreError::OutsideStore(_))), "{path}");
        assert!(matches!(store.staging(path, "r"), Err(StoreError::OutsideStore(_))), "{path}");
    }
}

#[test]
fn links_and_pipes_in_the_store_are_never_followed() {
    let (folder, store) = store();
    let outside = tempfile::NamedTempFile::new().expect("a file");
    fs::write(outside.path(), "mine").expect("written");
    let run = folder.path().join("runs/r");
    fs::create_dir_all(&run).expect("a folder");
    nix::unistd::mkfifo(&run.join("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    for name in ["events.jsonl", "lease.json"] {
        std::os::unix::fs::symlink(outside.path(), run.join(name)).expect("a link");
    }
    let check = |refused: Option<StoreError>| {
        assert!(matches!(refused, Some(StoreError::BadDocument { .. })), "{refused:?}");
    };
    check(store.read("runs/r/pipe").err());
    check(store.read("runs/r/events.jsonl").err());
    check(store.appender("runs/r/events.jsonl").err());
    check(store.lease("r").err());
    check(store.lease_state("r").err());
    assert_eq!(fs::read(outside.path()).expect("read"), b"mine");
}

#[test]
fn nothing_is_removed_behind_a_link() {
    let (folder, store) = store();
    let outside = tempfile::tempdir().expect("a folder");
    fs::create_dir(outside.path().join("mine")).expect("a folder");
    std::os::unix::fs::symlink(outside.path(), folder.path().join("staging")).expect("a link");
    let refused = store.delete("staging/mine");
    assert!(matches!(refused, Err(StoreError::OutsideStore(_))), "{refused:?}");
    assert!(outside.path().join("mine").exists());
    store.delete("staging").expect("the link itself is removed");
    assert!(outside.path().exists() && !folder.path().join("staging").exists());
}

#[test]
fn staged_files_appear_only_when_published() {
    let (_folder, store) = store();
    let staging = store.staging("artifacts/x/1", "r").expect("staging");
    fs::write(staging.folder().join("data.npy"), b"bytes").expect("written");
    assert!(store.list("artifacts/x").expect("listed").is_empty());
    store.publish(staging).expect("published");
    assert_eq!(store.list("artifacts/x/1").expect("listed"), ["data.npy"]);
    assert!(store.list("staging").expect("listed").is_empty());
}

#[test]
fn an_appender_ends_a_line_that_was_cut_off() {
    let (_folder, store) = store();
    store.appender("a.jsonl").expect("opened").write_all(b"{\"cut").expect("written");
    store.appender("a.jsonl").expect("opened").write_all(b"{}\n").expect("written");
    store.appender("a.jsonl").expect("opened").write_all(b"[]\n").expect("written");
    assert_eq!(store.read("a.jsonl").expect("read").as_ref(), b"{\"cut\n{}\n[]\n");
}

#[test]
fn a_lease_has_one_holder_and_is_free_after_it() {
    let (_folder, store) = store();
    assert_eq!(store.lease_state("r").expect("state"), LeaseState::Free);
    let guard = store.lease("r").expect("lease");
    assert!(matches!(store.lease_state("r").expect("state"), LeaseState::Held(Some(_))));
    assert!(matches!(store.lease("r"), Err(StoreError::LeaseHeld { .. })));
    drop(guard);
    assert_eq!(store.lease_state("r").expect("state"), LeaseState::Free);
    store.lease("r").expect("lease again");
}
