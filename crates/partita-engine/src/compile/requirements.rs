//! Requirements of Python distributions, from wherever they are listed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml_edit::DocumentMut;

use super::cache_files::Refused;
use super::messages::quoted;

/// How deep files of requirements may name one another.
const DEPTH: usize = 8;

/// What is never taken along: Partita comes by itself, and what installs is there already.
const OWN: [&str; 2] = ["partita", "pip"];

/// Checks one line.
///
/// # Errors
/// If it means something that is not to be had while an image is built.
pub(super) fn check(line: &str) -> Result<(), Refused> {
    let refused = |what: String, help| Err(Refused { what, help });
    let trimmed = line.trim();
    if trimmed.contains('\n') {
        return refused(
            format!("{} is more than one line", quoted(trimmed)),
            "list each by itself",
        );
    }
    let is_option = |names: &[&str]| names.iter().any(|name| trimmed.starts_with(name));
    let is_path = trimmed.starts_with(['.', '/', '~']) || trimmed.contains("file:");
    if is_path || is_option(&["-e", "--editable", "-c", "--constraint"]) {
        return refused(
            format!(
                "{} names a file, which is not there while the image is built",
                quoted(trimmed)
            ),
            "publish it to an index, or copy it with a Dockerfile; what lies in the source root need not be installed",
        );
    }
    if has_credentials(trimmed) {
        return refused(
            "a line holds the password of an index, which whoever gets the image could read"
                .to_owned(),
            "take it out; `pip` finds it in its own configuration",
        );
    }
    Ok(())
}

/// Returns whether text has an address with a password or a token in it.
pub(super) fn has_credentials(text: &str) -> bool {
    let parts: Vec<&str> = text.split("://").collect();
    parts.windows(2).any(|pair| {
        let ends = |c: char| c == '/' || c.is_whitespace() || c == '"' || c == '\'';
        let host = pair[1].split(ends).next().unwrap_or_default();
        // Who asks by SSH has a key, and only says who it is.
        let is_ssh = pair[0].ends_with("ssh");
        host.rsplit_once('@').is_some_and(|(who, _)| !is_ssh || who.contains(':'))
    })
}

/// Returns the lines of a requirements file, with those of others that it names.
pub(super) fn of_file(text: &str, file: &Path) -> Result<Vec<String>, Refused> {
    let mut lines = Vec::new();
    add(text, file, 0, &mut lines)?;
    Ok(lines)
}

fn add(text: &str, file: &Path, depth: usize, lines: &mut Vec<String>) -> Result<(), Refused> {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    for line in joined.lines() {
        let line = without_comment(line).trim();
        let named = ["--requirement=", "--requirement ", "-r "]
            .iter()
            .find_map(|option| line.strip_prefix(option));
        if let Some(named) = named {
            let other = file.parent().unwrap_or(Path::new("")).join(named.trim());
            if depth == DEPTH {
                return Err(Refused {
                    what: format!(
                        "{} names files in a circle",
                        quoted(&file.display().to_string())
                    ),
                    help: "name each file once",
                });
            }
            let text = std::fs::read_to_string(&other).map_err(|error| Refused {
                what: format!("{} cannot be read: {error}", quoted(&other.display().to_string())),
                help: "correct the line that names it",
            })?;
            add(&text, &other, depth + 1, lines)?;
        } else if !line.is_empty() {
            check(line)?;
            lines.push(line.to_owned());
        }
    }
    Ok(())
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with('#') {
        return "";
    }
    line.split_once(" #").map_or(line, |(line, _)| line)
}

/// Returns the dependencies of a project.
pub(super) fn of_project(text: &str) -> Result<Vec<String>, Refused> {
    let project: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| Refused {
        what: format!("it is no TOML: {}", error.message()),
        help: "correct it",
    })?;
    let listed = project.get("project").and_then(|project| project.get("dependencies"));
    let Some(listed) = listed.and_then(|listed| listed.as_array()) else {
        return Err(Refused {
            what: "it has no `dependencies` in `[project]`".to_owned(),
            help: "list them there, or as `requirements`",
        });
    };
    let lines: Vec<String> =
        listed.iter().filter_map(|line| line.as_str().map(str::to_owned)).collect();
    lines.iter().try_for_each(|line| check(line))?;
    Ok(lines)
}

/// What installers note of where a distribution came from.
#[derive(Deserialize)]
struct Origin {
    url: String,
    #[serde(default)]
    vcs_info: Option<Vcs>,
}

#[derive(Deserialize)]
struct Vcs {
    vcs: String,
    commit_id: String,
}

/// Returns what is installed in these folders, each with its version.
pub(super) fn installed(site_packages: &[PathBuf]) -> Result<Vec<String>, Refused> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for folder in site_packages {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(".dist-info")) else {
                continue;
            };
            let Some((name, version)) = stem.split_once('-') else { continue };
            let name = name.to_lowercase().replace(['_', '.'], "-");
            if OWN.contains(&name.as_str()) || found.contains_key(&name) {
                continue;
            }
            let line = line_of(&name, version, &entry.path())?;
            found.insert(name, line);
        }
    }
    if found.is_empty() {
        return Err(Refused {
            what: "no distributions are found in this Python".to_owned(),
            help: "list them as `requirements`",
        });
    }
    Ok(found.into_values().collect())
}

fn line_of(name: &str, version: &str, folder: &Path) -> Result<String, Refused> {
    let Ok(text) = std::fs::read_to_string(folder.join("direct_url.json")) else {
        return Ok(format!("{name}=={version}"));
    };
    let origin: Option<Origin> = serde_json::from_str(&text).ok();
    let line = match origin {
        Some(Origin { url, vcs_info: Some(Vcs { vcs, commit_id }) }) => {
            format!("{name} @ {vcs}+{url}@{commit_id}")
        }
        Some(Origin { url, vcs_info: None }) if url.starts_with("http") => {
            format!("{name} @ {url}")
        }
        _ => {
            return Err(Refused {
                what: format!("{} is installed from a folder of this machine", quoted(name)),
                help: "list what the image needs as `requirements`; what lies in the source root need not be installed",
            });
        }
    };
    check(&line)?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_requirements_are_read_with_those_that_they_name() {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("base.txt", "numpy==2.1  # arrays\n");
        write("round.txt", "-r round.txt\n");
        let file = folder.path().join("requirements.txt");
        let lines = |text: &str| of_file(text, &file).map_err(|refused| refused.what);
        let text = "# all\n-r base.txt\n\nscipy \\\n  >=1.1\n--extra-index-url https://example.org/simple\n";
        let expected =
            ["numpy==2.1", "scipy    >=1.1", "--extra-index-url https://example.org/simple"];
        assert_eq!(lines(text).unwrap(), expected);
        assert!(lines("-r none.txt").unwrap_err().contains("none.txt"));
        assert!(lines("-r round.txt").unwrap_err().contains("in a circle"));
        assert!(lines("./own").unwrap_err().contains("names a file"));
        assert!(lines("-e .").unwrap_err().contains("names a file"));
        let secret = "--index-url https://me:word@example.org/simple";
        let refused = lines(secret).unwrap_err();
        assert!(refused.contains("password") && !refused.contains("word@"), "{refused}");
    }

    #[test]
    fn projects_list_their_dependencies() {
        let text = "[project]\ndependencies = [\"numpy>=2\", 'six; python_version < \"4\"']\n";
        assert_eq!(of_project(text).unwrap(), ["numpy>=2", "six; python_version < \"4\""]);
        assert!(of_project("[tool]").unwrap_err().what.contains("no `dependencies`"));
        assert!(of_project("[").unwrap_err().what.contains("no TOML"));
    }

    #[test]
    fn what_is_installed_is_required_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let add = |name: &str, origin: Option<&str>| {
            let path = folder.path().join(format!("{name}.dist-info"));
            std::fs::create_dir(&path).unwrap();
            origin
                .iter()
                .for_each(|text| std::fs::write(path.join("direct_url.json"), text).unwrap());
        };
        add("Some_Thing-1.0", None);
        add("partita-0.1.0", None);
        add("pip-25.0", None);
        let git = r#"{"url": "https://example.org/a.git", "vcs_info": {"vcs": "git", "commit_id": "c0"}}"#;
        add("a-2", Some(git));
        let folders = [folder.path().to_owned()];
        let expected = ["a @ git+https://example.org/a.git@c0", "some-thing==1.0"];
        assert_eq!(installed(&folders).unwrap(), expected);
        add("own-1", Some(r#"{"url": "file:///own", "dir_info": {"editable": true}}"#));
        assert!(installed(&folders).unwrap_err().what.contains("from a folder of this machine"));
    }
}
