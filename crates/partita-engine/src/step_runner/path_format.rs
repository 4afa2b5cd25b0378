//! The format `path`: a file or a folder, as every language stores it.
//!
//! `path.json` names it, and the folders in it that are empty; it is in the folder `contents`. Its files
//! are read-only: they belong to every run that uses the artifact.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use partita_core::literal::Literal;
use serde::{Deserialize, Serialize};

/// The format's id.
pub const PATH_FORMAT: &str = "path";
/// What a file is called in documents, as a type.
pub const PATH_TYPE: &str = "pathlib.Path";
/// The folder that holds the file or the folder.
pub(super) const CONTENTS: &str = "contents";
const RECORD: &str = "path.json";

#[derive(Serialize, Deserialize)]
struct Record {
    name: String,
    empty: Vec<String>,
}

/// Returns the file or the folder that an artifact's folder holds.
///
/// # Errors
/// If it holds none.
pub fn load_path(folder: &Path) -> io::Result<PathBuf> {
    let record: Record = serde_json::from_slice(&fs::read(folder.join(RECORD))?)?;
    let stored = folder.join(CONTENTS).join(inside(&record.name)?);
    for name in &record.empty {
        // Object stores keep files only, so empty folders are made again.
        fs::create_dir_all(stored.join(inside(name)?))?;
    }
    Ok(stored)
}

/// Returns a stored relative path, refusing one that leads out of the artifact.
fn inside(name: &str) -> io::Result<&Path> {
    let path = Path::new(name);
    let is_inside =
        path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let leads_out =
        || io::Error::other(format!("the stored path `{name}` leads out of its artifact"));
    is_inside.then_some(path).ok_or_else(leads_out)
}

/// Copies what a path leads to into an artifact's folder; returns what is said of it.
///
/// # Errors
/// If it leads to nothing, or to something that cannot be stored.
pub fn save_path(path: &Path, folder: &Path) -> io::Result<BTreeMap<String, Literal>> {
    let told = |error: io::Error| io::Error::other(format!("`{}`: {error}", path.display()));
    let source = path.canonicalize().map_err(told)?;
    let name = source.file_name().unwrap_or("root".as_ref());
    let name = name.to_str().ok_or_else(|| io::Error::other("its name is no UTF-8 text"))?;
    let contents = folder.join(CONTENTS);
    fs::create_dir(&contents)?;
    let mut copied = Copied { inside: source.clone(), ..Copied::default() };
    copied.copy(&source, &contents.join(name), Path::new("")).map_err(told)?;
    copied.keep(name, folder)
}

/// Makes a file that lies in `contents` of an artifact's folder one that is stored.
pub(super) fn keep_file(path: &Path, folder: &Path) -> io::Result<BTreeMap<String, Literal>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let size = protect(path)?;
    Copied { files: 1, bytes: size, ..Copied::default() }.keep(&name, folder)
}

/// Makes a file read-only; returns its size.
fn protect(path: &Path) -> io::Result<u64> {
    let metadata = fs::metadata(path)?;
    let is_executable = metadata.permissions().mode() & 0o100 != 0;
    fs::set_permissions(path, Permissions::from_mode(if is_executable { 0o555 } else { 0o444 }))?;
    Ok(metadata.len())
}

/// What was copied.
#[derive(Default)]
struct Copied {
    /// What links may not lead out of.
    inside: PathBuf,
    files: u64,
    bytes: u64,
    empty: Vec<String>,
}

impl Copied {
    fn copy(&mut self, source: &Path, target: &Path, relative: &Path) -> io::Result<()> {
        // A link is what it leads to.
        let found = source.canonicalize()?;
        let refused = |why: &str| Err(io::Error::other(format!("`{}` {why}", source.display())));
        if !found.starts_with(&self.inside) {
            return refused("leads out of the folder that is stored; put a copy in its place");
        }
        let kind = fs::metadata(&found)?;
        if kind.is_file() {
            fs::copy(&found, target)?;
            self.bytes += protect(target)?;
            self.files += 1;
            return Ok(());
        }
        if !kind.is_dir() || fs::symlink_metadata(source)?.is_symlink() {
            return refused("is neither a file nor a folder, so it cannot be stored");
        }
        fs::create_dir(target)?;
        let mut is_empty = true;
        for entry in fs::read_dir(source)? {
            let name = entry?.file_name();
            is_empty = false;
            self.copy(&source.join(&name), &target.join(&name), &relative.join(&name))?;
        }
        if is_empty {
            let name = relative.to_string_lossy();
            self.empty.push(if name.is_empty() { ".".to_owned() } else { name.into_owned() });
        }
        Ok(())
    }

    fn keep(mut self, name: &str, folder: &Path) -> io::Result<BTreeMap<String, Literal>> {
        self.empty.sort();
        let record = Record { name: name.to_owned(), empty: self.empty };
        fs::write(folder.join(RECORD), serde_json::to_vec(&record)?)?;
        let said = [
            ("name", serde_json::to_string(name)?),
            ("files", self.files.to_string()),
            ("bytes", self.bytes.to_string()),
        ];
        said.into_iter().map(|(key, text)| Ok((key.to_owned(), Literal::parse(&text)?))).collect()
    }
}
