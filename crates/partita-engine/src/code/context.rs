//! What a Dockerfile may copy: the files of a folder, but for those that `.dockerignore` lists.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use partita_core::digest::{Digest, FieldHasher};
use partita_core::settings::Memory;
use tar::{Builder, EntryType, Header};

use super::archive::{self, Found, add};
use super::{CodeError, files as code_files};

/// What a context may take.
const LIMIT: Memory = Memory(2_000_000_000);

/// The list of what stays behind, where settings name none.
const IGNORE: &str = ".dockerignore";

/// Returns the digest of a Dockerfile and of the files that it may copy; all paths are relative to
/// `source_root`.
///
/// # Errors
/// If something cannot be read, or takes too much.
pub fn context_digest(
    source_root: &Path,
    dockerfile: &Path,
    root: &Path,
    ignore: Option<&Path>,
) -> Result<Digest, CodeError> {
    let path = source_root.join(dockerfile);
    let text = fs::read(&path).map_err(|error| CodeError::file(&path, "read", error))?;
    let folder = source_root.join(root);
    let Copied { files, empty } = Copied::of(source_root, &folder, ignore)?;
    let copied = archive::digest(&folder, &files)?;
    let mut hasher = FieldHasher::default();
    hasher.field("dockerfile", &text).field("copied", copied.to_string().as_bytes());
    for folder in empty {
        hasher.field("empty", folder.as_os_str().as_encoded_bytes());
    }
    Ok(hasher.finish())
}

/// Writes the files and the empty folders that a Dockerfile may copy, in order and without their times.
///
/// # Errors
/// As for the digest.
pub fn context_files<W: Write>(
    source_root: &Path,
    root: &Path,
    ignore: Option<&Path>,
    into: &mut Builder<W>,
) -> Result<(), CodeError> {
    let folder = source_root.join(root);
    let Copied { files, empty } = Copied::of(source_root, &folder, ignore)?;
    archive::each(&folder, &files, |path, found| add(into, path, &found))?;
    for path in empty {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        let added = into.append_data(&mut header, &path, io::empty());
        added.map_err(|error| CodeError::file(&folder.join(&path), "read", error))?;
    }
    Ok(())
}

/// Reads the code below `root` that goes into images, each file of which is handed to `each` with its
/// path below that, in order; returns its digest. What lies below `excluded` is no code.
///
/// # Errors
/// If its files cannot be read, or take too much.
pub fn for_image(
    root: &Path,
    excluded: &[PathBuf],
    mut each: impl FnMut(&Path, Found),
) -> Result<Digest, CodeError> {
    let rules = Rules::of(root, None)?;
    let mut files = code_files::of(root, excluded)?;
    files.retain(|path| !rules.leaves_out(path));
    archive::each(root, &files, |path, found| {
        each(path, found);
        Ok(())
    })
}

/// What a Dockerfile may copy of a folder.
#[derive(Default)]
struct Copied {
    files: BTreeSet<PathBuf>,
    /// The folders that have nothing of it; files bring theirs along.
    empty: BTreeSet<PathBuf>,
}

impl Copied {
    fn of(source_root: &Path, folder: &Path, ignore: Option<&Path>) -> Result<Self, CodeError> {
        let rules = Rules::of(folder, ignore.map(|path| source_root.join(path)))?;
        let (mut copied, mut folders, mut size) = (Self::default(), vec![PathBuf::new()], 0);
        while let Some(below) = folders.pop() {
            let at = folder.join(&below);
            let read = |error| CodeError::file(&at, "read", error);
            for entry in fs::read_dir(&at).map_err(read)? {
                let entry = entry.map_err(read)?;
                let path = below.join(entry.file_name());
                let metadata = entry.metadata().map_err(read)?;
                if metadata.is_dir() && !rules.leaves_out_all_of(&path) {
                    if !rules.leaves_out(&path) {
                        copied.empty.insert(path.clone());
                    }
                    folders.push(path);
                } else if (metadata.is_file() || metadata.is_symlink()) && !rules.leaves_out(&path)
                {
                    size += metadata.len();
                    copied.files.insert(path);
                }
            }
            if size > LIMIT.0 {
                return Err(CodeError::ContextTooLarge { folder: folder.to_owned(), limit: LIMIT });
            }
        }
        let Self { files, empty } = &mut copied;
        let has_one = |folder: &PathBuf| {
            files.range::<PathBuf, _>(folder..).next().is_some_and(|file| file.starts_with(folder))
        };
        empty.retain(|folder| !has_one(folder));
        Ok(copied)
    }
}

/// The lines of a `.dockerignore`: the last one that matches a file, or a folder that it is in, says
/// whether it stays behind.
struct Rules(Vec<(bool, GlobMatcher)>);

impl Rules {
    /// Reads the list at `named`, or else that of the folder, if it has one.
    fn of(folder: &Path, named: Option<PathBuf>) -> Result<Self, CodeError> {
        let is_named = named.is_some();
        let list = named.unwrap_or_else(|| folder.join(IGNORE));
        let text = match fs::read_to_string(&list) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => String::new(),
            Err(error) => return Err(CodeError::file(&list, "read", error)),
        };
        Self::read(&text).map_err(|error| CodeError::file(&list, "read", error))
    }

    fn read(text: &str) -> io::Result<Self> {
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let rule = |line: &str| {
            let (is_kept, pattern) = match line.strip_prefix('!') {
                Some(pattern) => (true, pattern.trim()),
                None => (false, line),
            };
            let pattern = pattern.trim_start_matches("./").trim_matches('/');
            let mut glob = GlobBuilder::new(pattern);
            let glob = glob.literal_separator(true).backslash_escape(true).build();
            glob.map(|glob| (is_kept, glob.compile_matcher())).map_err(io::Error::other)
        };
        lines.map(rule).collect::<io::Result<_>>().map(Self)
    }

    fn leaves_out(&self, path: &Path) -> bool {
        let parts: Vec<&Path> =
            path.ancestors().filter(|part| !part.as_os_str().is_empty()).collect();
        let matches = |glob: &GlobMatcher| parts.iter().any(|part| glob.is_match(part));
        let last = self.0.iter().rev().find(|(_, glob)| matches(glob));
        last.is_some_and(|(is_kept, _)| !is_kept)
    }

    /// Returns whether nothing in a folder is kept, so that nobody need look.
    fn leaves_out_all_of(&self, folder: &Path) -> bool {
        self.leaves_out(folder) && self.0.iter().all(|(is_kept, _)| !is_kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_matches_says_what_stays_behind() {
        let text = "# data\n/data\n*.log\n**/*.tmp\n!data/keep.csv\nnode_modules/\n";
        let rules = Rules::read(text).unwrap();
        let kept = ["main.py", "data/keep.csv", "logs/a.log", "größe ✓.txt"];
        let left = ["data/a.csv", "a.log", "deep/er/a.tmp", "node_modules/x/y.js"];
        kept.iter().for_each(|path| assert!(!rules.leaves_out(Path::new(path)), "{path}"));
        left.iter().for_each(|path| assert!(rules.leaves_out(Path::new(path)), "{path}"));
        assert!(!rules.leaves_out_all_of(Path::new("data")));
        assert!(Rules::read("a\n").unwrap().leaves_out_all_of(Path::new("a")));
    }

    #[test]
    fn the_digest_is_that_of_what_may_be_copied() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let digest = |ignore: Option<&Path>| {
            context_digest(folder.path(), Path::new("image/Dockerfile"), Path::new("image"), ignore)
        };
        write("image/Dockerfile", "FROM scratch\n");
        write("image/.dockerignore", "noise\n");
        write("image/noise/a", "1");
        let first = digest(None).unwrap();
        write("image/noise/a", "2");
        write("elsewhere", "1");
        assert_eq!(digest(None).unwrap(), first);
        write("image/kept", "1");
        assert_ne!(digest(None).unwrap(), first);
        let kept = digest(None).unwrap();
        fs::create_dir_all(folder.path().join("image/noise/empty")).unwrap();
        assert_eq!(digest(None).unwrap(), kept);
        fs::create_dir_all(folder.path().join("image/logs/today")).unwrap();
        assert_ne!(digest(None).unwrap(), kept);
        let mut tar = Builder::new(Vec::new());
        context_files(folder.path(), Path::new("image"), None, &mut tar).unwrap();
        let bytes = tar.into_inner().unwrap();
        let mut archive = tar::Archive::new(&bytes[..]);
        let names =
            archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().into_owned());
        let names: Vec<_> = names.map(|path| path.display().to_string()).collect();
        assert_eq!(names, [".dockerignore", "Dockerfile", "kept", "logs", "logs/today"]);
        write("other.dockerignore", "*\n");
        let empty = digest(Some(Path::new("other.dockerignore"))).unwrap();
        write("image/kept", "2");
        assert_eq!(digest(Some(Path::new("other.dockerignore"))).unwrap(), empty);
        assert!(digest(Some(Path::new("none"))).is_err());
    }
}
