//! Digests of the files and folders that authors list as key material of their steps.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

use partita_core::digest::{Digest, FieldHasher};

use super::messages::quoted;

/// Why a listed file has no digest: what is wrong, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) what: String,
    pub(super) help: &'static str,
}

/// The digests of listed paths, each computed once.
pub(super) struct FileDigests<'a> {
    source_root: &'a Path,
    known: HashMap<String, Result<(String, Digest), Refused>>,
}

impl<'a> FileDigests<'a> {
    /// Returns digests of paths under `source_root`.
    pub(super) fn under(source_root: &'a Path) -> Self {
        Self { source_root, known: HashMap::new() }
    }

    /// Returns the path relative to the source root, with `/` between its segments, and its digest:
    /// BLAKE3 of a file's content, or of the paths and digests of all files in a folder.
    pub(super) fn of(&mut self, listed: &str) -> Result<(String, Digest), Refused> {
        if let Some(known) = self.known.get(listed) {
            return known.clone();
        }
        let digest = self.compute(listed);
        self.known.insert(listed.to_owned(), digest.clone());
        digest
    }

    /// Returns a path relative to the source root, with `/` between its segments.
    pub(super) fn within(&self, listed: &str) -> Result<String, Refused> {
        let relative = self.relative(Path::new(listed)).ok_or_else(|| Refused {
            what: format!("{} lies outside the source root", quoted(listed)),
            help: "write a path under the source root, relative to it",
        })?;
        Ok(slashed(&relative))
    }

    fn compute(&self, listed: &str) -> Result<(String, Digest), Refused> {
        let relative = self.relative(Path::new(listed)).ok_or_else(|| Refused {
            what: format!("{} lies outside the source root", quoted(listed)),
            help: "list paths under the source root, relative to it",
        })?;
        match digest(&self.source_root.join(&relative)) {
            Ok(digest) => Ok((slashed(&relative), digest)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Refused {
                what: format!(
                    "there is no file or folder {} under the source root",
                    quoted(listed)
                ),
                help: "write its path relative to the source root, or take it off the list",
            }),
            Err(error) => Err(Refused {
                what: format!("{} cannot be read: {error}", quoted(listed)),
                help: "make it a readable file or folder, or take it off the list",
            }),
        }
    }

    /// Returns `listed` relative to the source root, unless it leads out of it.
    fn relative(&self, listed: &Path) -> Option<PathBuf> {
        let below =
            if listed.is_absolute() { listed.strip_prefix(self.source_root).ok()? } else { listed };
        let mut relative = PathBuf::new();
        for component in below.components() {
            match component {
                Component::Normal(segment) => relative.push(segment),
                Component::CurDir => {}
                Component::ParentDir => {
                    if !relative.pop() {
                        return None;
                    }
                }
                Component::RootDir | Component::Prefix(_) => return None,
            }
        }
        Some(relative)
    }
}

fn digest(path: &Path) -> io::Result<Digest> {
    let kind = std::fs::metadata(path)?;
    if kind.is_file() {
        return digest_of_file(path);
    }
    if !kind.is_dir() {
        return Err(io::Error::other("it is neither a file nor a folder"));
    }
    let mut files = Vec::new();
    collect(path, &mut files)?;
    files.sort();
    let mut hasher = FieldHasher::default();
    for file in files {
        let relative = file.strip_prefix(path).unwrap_or(&file);
        let digest = digest_of_file(&file)?;
        hasher
            .field("path", relative.as_os_str().as_encoded_bytes())
            .field("digest", digest.to_string().as_bytes());
    }
    Ok(hasher.finish())
}

/// Adds every file under `folder`. Links to files count as files; links to folders and special
/// files are passed over, since they can lead in circles or block for ever.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let links_to_file = || {
                kind.is_symlink() && std::fs::metadata(entry.path()).is_ok_and(|to| to.is_file())
            };
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() || links_to_file() {
                files.push(entry.path());
            }
        }
    }
    Ok(())
}

fn digest_of_file(path: &Path) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize().into())
}

fn slashed(path: &Path) -> String {
    let segments: Vec<_> = path.iter().map(|segment| segment.to_string_lossy()).collect();
    if segments.is_empty() { ".".to_owned() } else { segments.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listed: &str, expected: Result<&str, &str>) {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("data/deep")).unwrap();
        std::fs::write(root.path().join("data/a.csv"), "1").unwrap();
        std::fs::write(root.path().join("data/deep/b.csv"), "2").unwrap();
        let digest = FileDigests::under(root.path())
            .of(&listed.replace("ROOT", &root.path().to_string_lossy()));
        let told = digest.map(|(path, _)| path).map_err(|refused| refused.what);
        assert_eq!(told, expected.map(str::to_owned).map_err(str::to_owned));
    }

    #[test]
    fn paths_are_relative_to_the_source_root_and_stay_in_it() {
        check("data/a.csv", Ok("data/a.csv"));
        check("./data//deep/../a.csv", Ok("data/a.csv"));
        check("ROOT/data", Ok("data"));
        check("gone", Err("there is no file or folder `gone` under the source root"));
        check("../x", Err("`../x` lies outside the source root"));
        check("data/../../x", Err("`data/../../x` lies outside the source root"));
        check("/etc/passwd", Err("`/etc/passwd` lies outside the source root"));
    }

    #[test]
    fn a_folder_changes_with_every_file_in_it_and_its_name() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(root.path().join(name), text).unwrap();
        let digest = || FileDigests::under(root.path()).of(".").unwrap().1;
        write("a", "1");
        let one = digest();
        assert_eq!(one, digest());
        write("b", "");
        let two = digest();
        std::fs::rename(root.path().join("b"), root.path().join("c")).unwrap();
        let three = digest();
        write("a", "2");
        let all = [one, two, three, digest()];
        for (at, digest) in all.iter().enumerate() {
            assert!(!all[..at].contains(digest), "{at}");
        }
    }
}
