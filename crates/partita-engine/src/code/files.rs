//! Which files of a source root are code: those that Git tracks, and those that it would if it was
//! asked to. A place without Git has no less: then all that is not ignored is.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use ignore::{DirEntry, WalkBuilder};
use partita_core::settings::Memory;

use super::CodeError;

/// What the files of a source root may take together.
const LIMIT: Memory = Memory(500_000_000);

/// Variables by which another repository than that of the source root would be meant.
const GIT_VARIABLES: [&str; 4] =
    ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"];

/// Returns the files and links below `root` that are code, relative to it and in order. What lies
/// below `excluded` is none.
///
/// # Errors
/// If they cannot be listed, or take too much.
pub(super) fn of(root: &Path, excluded: &[PathBuf]) -> Result<BTreeSet<PathBuf>, CodeError> {
    let mut files = BTreeSet::new();
    let excluded: Vec<PathBuf> =
        excluded.iter().map(|path| fs::canonicalize(path).unwrap_or(path.clone())).collect();
    let is_excluded = |path: &Path| excluded.iter().any(|excluded| path.starts_with(excluded));
    let canonical = fs::canonicalize(root).map_err(|error| CodeError::file(root, "read", error))?;
    let mut walk = WalkBuilder::new(&canonical);
    walk.hidden(false).ignore(false).require_git(false).follow_links(false);
    let excluded_here = excluded.clone();
    walk.filter_entry(move |entry| {
        !is_no_code(entry) && !excluded_here.iter().any(|excluded| entry.path() == excluded)
    });
    let mut sizes = Sizes::default();
    for entry in walk.build() {
        let entry = entry.map_err(|error| {
            let error = error.into_io_error().unwrap_or_else(|| std::io::Error::other("a loop"));
            CodeError::file(root, "read", error)
        })?;
        let is_file = entry.file_type().is_some_and(|kind| kind.is_file() || kind.is_symlink());
        if let Ok(path) = entry.path().strip_prefix(&canonical)
            && is_file
        {
            sizes.add(path, entry.metadata().map_or(0, |metadata| metadata.len()));
            files.insert(path.to_owned());
        }
        sizes.check(root)?;
    }
    // What is tracked arrives, though it is ignored.
    for path in tracked(&canonical) {
        let Ok(metadata) = fs::symlink_metadata(canonical.join(&path)) else { continue };
        if (metadata.is_file() || metadata.is_symlink()) && !is_excluded(&canonical.join(&path)) {
            sizes.add(&path, metadata.len());
            files.insert(path);
            sizes.check(root)?;
        }
    }
    Ok(files)
}

/// Returns whether something is what tools make of code, or keep beside it.
fn is_no_code(entry: &DirEntry) -> bool {
    let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
    let name = entry.file_name();
    name == ".git"
        || is_folder && (name == "__pycache__" || entry.path().join("pyvenv.cfg").exists())
}

/// Returns what Git tracks below `root`; nothing where there is no Git or no repository.
fn tracked(root: &Path) -> Vec<PathBuf> {
    let mut git = Command::new("git");
    git.arg("-C").arg(root).args(["ls-files", "-z", "--cached"]);
    for variable in GIT_VARIABLES {
        git.env_remove(variable);
    }
    let Ok(said) = git.output() else { return Vec::new() };
    if !said.status.success() {
        return Vec::new();
    }
    let paths = said.stdout.split(|&byte| byte == 0).filter(|path| !path.is_empty());
    paths.map(|path| PathBuf::from(OsStr::from_bytes(path))).collect()
}

/// What has been found, by the first part of its path.
#[derive(Default)]
struct Sizes {
    all: u64,
    by_top: BTreeMap<PathBuf, u64>,
}

impl Sizes {
    fn add(&mut self, path: &Path, size: u64) {
        self.all += size;
        let top = path.iter().next().map(PathBuf::from).unwrap_or_default();
        *self.by_top.entry(top).or_default() += size;
    }

    fn check(&self, root: &Path) -> Result<(), CodeError> {
        if self.all <= LIMIT.0 {
            return Ok(());
        }
        let largest = self.by_top.iter().max_by_key(|(_, size)| **size);
        let (largest, size) =
            largest.map(|(path, size)| (path.display().to_string(), *size)).unwrap_or_default();
        Err(CodeError::TooLarge {
            root: root.to_owned(),
            limit: LIMIT,
            largest,
            size: Memory(size),
        })
    }
}
