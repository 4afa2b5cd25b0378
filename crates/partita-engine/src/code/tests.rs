//! What of a source root arrives elsewhere, and how.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::store::{ArtifactStore, Durability, LocalArtifactStore, layout};

/// A source root, and a store beside it.
struct Place {
    folder: tempfile::TempDir,
    store: LocalArtifactStore,
}

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = LocalArtifactStore::open(&folder.path().join("store"), Durability::Process);
        let place = Self { store: store.unwrap(), folder };
        fs::create_dir(place.root()).unwrap();
        files.iter().for_each(|(path, text)| place.write(path, text));
        place
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn git(&self, arguments: &[&str]) {
        let git = Command::new("git").arg("-C").arg(self.root()).args(arguments).output().unwrap();
        assert!(git.status.success(), "{git:?}");
    }

    fn pack(&self) -> partita_core::digest::Digest {
        pack(&self.store, &self.root(), &[]).unwrap()
    }

    /// Packs and unpacks; returns where.
    fn arrived(&self) -> PathBuf {
        let folder = self.folder.path().join("arrived");
        fs::create_dir(&folder).unwrap();
        unpack(&self.store, self.pack(), &folder).unwrap();
        folder
    }
}

/// Returns the files and links below a folder, in order.
fn listed(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in ignore::WalkBuilder::new(folder).standard_filters(false).build() {
        let entry = entry.unwrap();
        if !entry.file_type().unwrap().is_dir() {
            let path = entry.path().strip_prefix(folder).unwrap();
            found.push(path.to_str().unwrap().to_owned());
        }
    }
    found.sort();
    found
}

#[test]
fn every_file_that_is_tracked_or_not_ignored_arrives() {
    let place = Place::new(&[
        ("main.py", "1"),
        ("with space/größe ✓.txt", "2"),
        (".hidden", "3"),
        ("ignored/secret.env", "4"),
        ("ignored/tracked.bin", "5"),
        ("kept.log", "6"),
        ("noise.log", "7"),
        ("pkg/__pycache__/pkg.pyc", "8"),
        (".venv/pyvenv.cfg", "9"),
        (".venv/lib/big.py", "10"),
        (".gitignore", "ignored/\n*.log\n"),
    ]);
    place.git(&["init", "--quiet"]);
    place.git(&["add", "--force", "ignored/tracked.bin", "kept.log", "main.py"]);
    let expected = [
        ".gitignore",
        ".hidden",
        "ignored/tracked.bin",
        "kept.log",
        "main.py",
        "with space/größe ✓.txt",
    ];
    assert_eq!(listed(&place.arrived()), expected);
}

#[test]
fn a_folder_without_git_arrives_as_well() {
    let place = Place::new(&[("a.py", "1"), ("b.log", "2"), (".gitignore", "*.log")]);
    assert_eq!(listed(&place.arrived()), [".gitignore", "a.py"]);
}

#[test]
fn modes_links_and_long_names_arrive_as_they_are() {
    let long = format!("{}/{}.py", "d".repeat(120), "f".repeat(120));
    let place = Place::new(&[("run.sh", "#!/bin/sh\n"), ("plain.py", ""), (&long, "long")]);
    let permit = |name: &str, mode| {
        fs::set_permissions(place.root().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    permit("run.sh", 0o755);
    permit("plain.py", 0o640);
    symlink("run.sh", place.root().join("link")).unwrap();
    let arrived = place.arrived();
    let mode = |name: &str| fs::metadata(arrived.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("run.sh"), mode("plain.py")), (0o755, 0o640));
    assert_eq!(fs::read_link(arrived.join("link")).unwrap(), Path::new("run.sh"));
    assert_eq!(fs::read_to_string(arrived.join(long)).unwrap(), "long");
}

#[test]
fn what_has_not_changed_is_not_packed_again() {
    let place = Place::new(&[("main.py", "1")]);
    let first = place.pack();
    // An archive that is there is left alone, whatever is in it.
    place.store.write(&layout::code(&first), "left alone".into()).unwrap();
    place.write("main.py", "1");
    assert_eq!(place.pack(), first);
    assert_eq!(&place.store.read(&layout::code(&first)).unwrap()[..], b"left alone");
    place.write("main.py", "2");
    assert_ne!(place.pack(), first);
}

#[test]
fn the_same_code_has_the_same_archive_byte_for_byte() {
    let [one, other] = [(); 2].map(|()| Place::new(&[("b/main.py", "1"), ("a.py", "2")]));
    let archive = |place: &Place| place.store.read(&layout::code(&place.pack())).unwrap();
    assert_eq!(archive(&one), archive(&other));
}

#[test]
fn files_that_swap_their_contents_are_other_code_however_many_there_are() {
    let names: Vec<(String, String)> =
        (0..100).map(|number| (format!("{number}.py"), number.to_string())).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|(name, text)| (&**name, &**text)).collect();
    let place = Place::new(&files);
    let first = place.pack();
    place.write("3.py", "97");
    place.write("97.py", "3");
    let swapped = place.pack();
    assert_ne!(swapped, first);
    place.write("3.py", "3");
    place.write("97.py", "97");
    assert_eq!(place.pack(), first);
}

#[test]
fn a_home_below_the_source_root_stays_where_it_is() {
    let place = Place::new(&[("main.py", "1"), ("home/vault.key", "secret"), ("home.py", "2")]);
    let without = pack(&place.store, &place.root(), &[place.root().join("home")]).unwrap();
    fs::remove_dir_all(place.root().join("home")).unwrap();
    assert_eq!(without, place.pack());
}

#[test]
fn an_archive_that_is_not_what_its_name_says_is_refused() {
    let place = Place::new(&[("main.py", "1")]);
    let first = place.pack();
    place.write("main.py", "2");
    let other = place.store.read(&layout::code(&place.pack())).unwrap();
    for wrong in [other, "no archive".into()] {
        place.store.write(&layout::code(&first), wrong).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let refused = unpack(&place.store, first, folder.path()).unwrap_err();
        assert!(matches!(refused, CodeError::Corrupt { .. }), "{refused}");
    }
}

#[test]
fn a_source_root_that_is_full_of_data_is_refused_by_name() {
    let place = Place::new(&[("main.py", "1"), ("data/images.bin", "")]);
    let data = fs::File::options().write(true).open(place.root().join("data/images.bin")).unwrap();
    data.set_len(600_000_000).unwrap();
    let refused = pack(&place.store, &place.root(), &[]).unwrap_err().to_string();
    assert!(refused.contains("600MB of it in `data`"), "{refused}");
}
