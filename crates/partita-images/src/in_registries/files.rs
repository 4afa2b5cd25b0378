//! The files of an image, as far as they tell of its Python: their paths, what links lead to, and how
//! a few of them begin.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry, EntryType};

/// What the names of files begin with that say what they replace below.
const WHITEOUT: &str = ".wh.";
/// The file that says that nothing below of its folder is seen.
const OPAQUE: &str = ".wh..wh..opq";

/// How much is kept of files whose content counts.
const HEAD: u64 = 8192;

/// How many links may lead on from one to the next, as in Linux.
const LINKS: usize = 40;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Folder,
    File { is_executable: bool, head: Vec<u8> },
    Link(String),
}

/// What a layer does to a path.
enum Change {
    Add(String, Node),
    /// The file at this path is the same as the one at the other.
    Same(String, String),
}

/// The files of an image by their paths, which begin with no `/`.
#[derive(Debug, Default)]
pub(super) struct Files(BTreeMap<String, Node>);

impl Files {
    /// Adds a layer, packed in whatever way, on top of those that were added before.
    pub(super) fn add_layer(&mut self, mut packed: File) -> io::Result<()> {
        let mut magic = Vec::new();
        packed.seek(SeekFrom::Start(0))?;
        (&mut packed).take(4).read_to_end(&mut magic)?;
        packed.seek(SeekFrom::Start(0))?;
        let packed = BufReader::new(packed);
        match magic.as_slice() {
            [0x1f, 0x8b, ..] => self.add_tar(MultiGzDecoder::new(packed)),
            [0x28, 0xb5, 0x2f, 0xfd] => self.add_tar(zstd::Decoder::with_buffer(packed)?),
            _ => self.add_tar(packed),
        }
    }

    fn add_tar(&mut self, tar: impl Read) -> io::Result<()> {
        let mut added = Vec::new();
        for entry in Archive::new(tar).entries()? {
            let mut entry = entry?;
            let path = tidied(&entry.path_bytes());
            let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
            if name == OPAQUE {
                self.remove_below(folder);
            } else if let Some(hidden) = name.strip_prefix(WHITEOUT) {
                self.remove(&tidied(format!("{folder}/{hidden}").as_bytes()));
            } else if let Some(change) = change(&mut entry, &path)? {
                added.push(change);
            }
        }
        for change in added {
            match change {
                Change::Add(path, node) => self.insert(path, node),
                Change::Same(path, other) => {
                    if let Some(node) = self.0.get(&other).cloned() {
                        self.insert(path, node);
                    }
                }
            }
        }
        Ok(())
    }

    fn insert(&mut self, path: String, node: Node) {
        if node != Node::Folder {
            self.remove_below(&path);
        }
        self.0.insert(path, node);
    }

    fn remove(&mut self, path: &str) {
        self.0.remove(path);
        self.remove_below(path);
    }

    fn remove_below(&mut self, folder: &str) {
        let is_below = |path: &str| {
            folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
        };
        let below = self.0.range(folder.to_owned()..).map(|(path, _)| path);
        let below = below.take_while(|path| path.starts_with(folder));
        let below: Vec<String> = below.filter(|path| is_below(path)).cloned().collect();
        for path in below {
            self.0.remove(&path);
        }
    }

    /// Returns where a path leads, whatever links are on its way; `None` if they lead nowhere.
    pub(super) fn real(&self, path: &str) -> Option<String> {
        let parts = |path: &str| path.split('/').rev().map(str::to_owned).collect::<Vec<_>>();
        let (mut rest, mut at, mut links) = (parts(path), Vec::new(), 0);
        while let Some(part) = rest.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    at.pop();
                    continue;
                }
                _ => at.push(part),
            }
            if let Some(Node::Link(to)) = self.0.get(&at.join("/")) {
                links += 1;
                if links > LINKS {
                    return None;
                }
                at.pop();
                if to.starts_with('/') {
                    at.clear();
                }
                rest.extend(parts(to));
            }
        }
        Some(format!("/{}", at.join("/")))
    }

    /// Returns what a path leads to.
    pub(super) fn at(&self, path: &str) -> Option<&Node> {
        self.0.get(self.real(path)?.trim_start_matches('/'))
    }

    /// Returns the names in a folder; one that only holds others need not be in a layer itself.
    pub(super) fn names(&self, folder: &str) -> BTreeSet<&str> {
        let folder = format!("{}/", self.real(folder).unwrap_or_default().trim_start_matches('/'));
        let below = self.0.range(folder.clone()..).map(|(path, _)| path.as_str());
        let below = below.map_while(|path| path.strip_prefix(folder.as_str()));
        below.map(|path| path.split('/').next().unwrap_or(path)).collect()
    }
}

/// Returns a path as it is kept here.
fn tidied(path: &[u8]) -> String {
    let path = String::from_utf8_lossy(path);
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    parts.collect::<Vec<_>>().join("/")
}

/// Returns what an entry of a layer brings.
fn change(entry: &mut Entry<'_, impl Read>, path: &str) -> io::Result<Option<Change>> {
    let target = |entry: &Entry<'_, _>| {
        entry
            .link_name_bytes()
            .map(|to| String::from_utf8_lossy(&to).into_owned())
            .unwrap_or_default()
    };
    let node = match entry.header().entry_type() {
        EntryType::Directory => Node::Folder,
        EntryType::Symlink => Node::Link(target(entry)),
        EntryType::Link => {
            let other = tidied(target(entry).as_bytes());
            return Ok(Some(Change::Same(path.to_owned(), other)));
        }
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            let is_executable = entry.header().mode()? & 0o111 != 0;
            let mut head = Vec::new();
            if counts(path) {
                entry.take(HEAD).read_to_end(&mut head)?;
            }
            Node::File { is_executable, head }
        }
        _ => return Ok(None),
    };
    Ok(Some(Change::Add(path.to_owned(), node)))
}

/// Returns whether the content of a file counts.
fn counts(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with("python") || name == "pyvenv.cfg"
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, Header};

    use super::*;

    /// What a test puts into a layer.
    pub(in super::super) enum Put<'a> {
        Folder(&'a str),
        Program(&'a str, &'a [u8]),
        Link(&'a str, &'a str),
        Hard(&'a str, &'a str),
    }
    use Put::*;

    fn tar(put: &[Put<'_>]) -> Vec<u8> {
        let mut tar = Builder::new(Vec::new());
        for put in put {
            let mut header = Header::new_gnu();
            header.set_mode(0o755);
            header.set_size(0);
            match put {
                Folder(path) => {
                    header.set_entry_type(EntryType::Directory);
                    tar.append_data(&mut header, path, io::empty()).unwrap();
                }
                Program(path, content) => {
                    header.set_size(content.len() as u64);
                    tar.append_data(&mut header, path, *content).unwrap();
                }
                Link(path, to) | Hard(path, to) => {
                    let is_hard = matches!(put, Hard(..));
                    header.set_entry_type(if is_hard {
                        EntryType::Link
                    } else {
                        EntryType::Symlink
                    });
                    tar.append_link(&mut header, path, to).unwrap();
                }
            }
        }
        tar.into_inner().unwrap()
    }

    /// Returns the files of layers, each on top of those before.
    pub(in super::super) fn layers(layers: &[&[Put<'_>]]) -> Files {
        let mut files = Files::default();
        for put in layers {
            files.add_tar(tar(put).as_slice()).unwrap();
        }
        files
    }

    fn check(put: &[&[Put<'_>]], expected: &[&str]) {
        let files = layers(put);
        let found: Vec<&str> = files.0.keys().map(String::as_str).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_a_layer_removes_is_not_seen() {
        let below: &[Put<'_>] = &[
            Folder("a"),
            Program("a/b", b""),
            Program("a-b", b""),
            Folder("a/c"),
            Program("a/c/d", b""),
        ];
        check(&[below, &[Program("a/.wh.c", b"")]], &["a", "a-b", "a/b"]);
        check(&[below, &[Program(".wh.a", b"")]], &["a-b"]);
        let opaque: &[Put<'_>] =
            &[Folder("a"), Program("a/e", b""), Program("a/.wh..wh..opq", b"")];
        check(&[below, opaque], &["a", "a-b", "a/e"]);
        check(&[below, &[Link("a", "a-b")]], &["a", "a-b"]);
        check(&[below, &[Folder("a")]], &["a", "a-b", "a/b", "a/c", "a/c/d"]);
    }

    #[test]
    fn links_lead_where_they_lead_in_the_image() {
        let files = layers(&[&[
            Program("usr/bin/python3.11", b"\x7fELF"),
            Link("usr/bin/python", "python3.11"),
            Link("bin", "usr/bin"),
            Link("opt", "/usr/../bin/"),
            Link("up", "../../../bin"),
            Link("round", "round"),
            Hard("same", "usr/bin/python3.11"),
        ]]);
        for path in ["/bin/python", "/opt/python", "/up/python", "//usr/./bin/python"] {
            assert_eq!(files.real(path).as_deref(), Some("/usr/bin/python3.11"), "{path}");
        }
        assert_eq!(files.at("/same"), files.at("/bin/python"));
        assert_eq!(files.real("/round/a"), None);
        assert!(files.names("/bin").into_iter().eq(["python", "python3.11"]));
        assert!(files.names("/usr").into_iter().eq(["bin"]));
        assert_eq!(files.at("/bin/python/a"), None);
    }

    #[test]
    fn layers_are_read_however_they_are_packed() {
        let plain = tar(&[Program("a", b"")]);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&plain).unwrap();
        let packed = [gzip.finish().unwrap(), zstd::encode_all(&plain[..], 1).unwrap(), plain];
        for layer in packed {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&layer).unwrap();
            let mut files = Files::default();
            files.add_layer(file).unwrap();
            assert!(files.at("/a").is_some());
        }
    }
}
