use std::os::unix::fs::{MetadataExt, chown};

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

/// Somebody who is not root.
const OWNER: (u32, u32) = (1500, 1501);

/// Returns a folder of somebody's, or nothing where these tests are not root's, who alone can give it.
fn folder_of_somebody() -> Option<tempfile::TempDir> {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("left out: only root writes for others");
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder");
    chown(folder.path(), Some(OWNER.0), Some(OWNER.1)).expect("given");
    Some(folder)
}

/// Returns what is in a folder and is not that somebody's.
fn not_of_somebody(folder: &Path) -> Vec<PathBuf> {
    let mut others = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("listed") {
            let path = entry.expect("an entry").path();
            let found = fs::symlink_metadata(&path).expect("metadata");
            if found.is_dir() {
                folders.push(path.clone());
            }
            if (found.uid(), found.gid()) != OWNER {
                others.push(path);
            }
        }
    }
    others
}

#[test]
fn what_root_writes_belongs_to_the_owner_of_the_store() {
    let Some(folder) = folder_of_somebody() else { return };
    for durability in [Durability::Process, Durability::Power] {
        // One that is not there yet belongs to whoever has the folder around it.
        let root = folder.path().join(format!("{durability:?}/store"));
        let store = LocalArtifactStore::open(&root, durability).expect("a store");
        let _hold = store.hold().expect("held");
        for path in ["a/b/new.json", "a/b/new.json", "odd #/name.json", "odd #/name.json"] {
            store.write(path, Bytes::from_static(b"1")).expect("written");
        }
        assert!(store.create("created/b.json", Bytes::new()).expect("created"));
        assert!(store.link("a/b/new.json", "linked/d.json").expect("linked"));
        store.appender("logs/a.jsonl").expect("opened").write_all(b"{}\n").expect("written");
        let _lease = store.lease("r").expect("a lease");
        let staging = store.staging("artifacts/x/1", "r").expect("staging");
        fs::create_dir_all(staging.folder().join("deep/deeper")).expect("made");
        fs::write(staging.folder().join("deep/deeper/data.npy"), b"bytes").expect("written");
        store.publish(staging).expect("published");
        let _staging = store.staging("artifacts/x/2", "r").expect("staging");
        assert_eq!(not_of_somebody(folder.path()), Vec::<PathBuf>::new());
    }
}

#[test]
fn root_gives_away_neither_what_a_link_leads_to_nor_what_others_have() {
    let Some(folder) = folder_of_somebody() else { return };
    let outside = tempfile::NamedTempFile::new().expect("a file");
    let (link, other) = (folder.path().join("link.json"), folder.path().join("other.jsonl"));
    std::os::unix::fs::symlink(outside.path(), &link).expect("a link");
    fs::write(&other, "{}\n").expect("written");
    chown(&other, Some(1600), Some(1600)).expect("given");
    let store = LocalArtifactStore::open(folder.path(), Durability::Process).expect("a store");
    assert!(!store.create("link.json", Bytes::from_static(b"1")).expect("not created"));
    store.appender("other.jsonl").expect("opened").write_all(b"{}\n").expect("written");
    assert_eq!(fs::metadata(outside.path()).expect("metadata").uid(), 0);
    assert_eq!(fs::metadata(&other).expect("metadata").uid(), 1600);
}
