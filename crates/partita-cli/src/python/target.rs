//! Checks what was typed as TARGET, before a Python is started for it.

use std::fs;
use std::path::{Path, PathBuf};

use partita_cli::places;
use partita_core::name::nearest;

use crate::error::CommandError;

/// Checks that a target may name a pipeline: a Python file or a module, perhaps with a name.
pub(crate) fn check(target: &str) -> Result<(), CommandError> {
    if target.is_empty() {
        return Err(CommandError::usage("TARGET is empty; name a file such as `train.py`"));
    }
    if Path::new(target).exists() {
        return check_python_file(target);
    }
    let (place, name) = match target.rsplit_once(':') {
        Some((place, name)) => (place, Some(name)),
        None => (target, None),
    };
    if name.is_some_and(str::is_empty) {
        return Err(CommandError::usage(format!(
            "`{target}` ends in a colon and names no pipeline; write `{place}` or `{place}:PIPELINE`"
        )));
    }
    if Path::new(place).exists() || is_path(place) {
        return check_python_file(place);
    }
    if is_module(place) {
        return Ok(());
    }
    Err(CommandError::usage(format!("`{place}` is neither a file nor the name of a Python module"))
        .help("TARGET is `file.py`, `file.py:pipeline` or `package.module:pipeline`"))
}

fn is_path(place: &str) -> bool {
    place.contains('/') || Path::new(place).extension().is_some_and(|extension| extension == "py")
}

fn is_module(place: &str) -> bool {
    let is_word = |word: &str| {
        word.chars().all(|c| c.is_alphanumeric() || c == '_')
            && word.chars().next().is_some_and(|c| !c.is_numeric())
    };
    place.split('.').all(is_word)
}

fn check_python_file(file: &str) -> Result<(), CommandError> {
    check_file(file, "TARGET")?;
    if Path::new(file).extension().is_some_and(|extension| extension == "py") {
        return Ok(());
    }
    Err(CommandError::usage(format!("TARGET `{file}` is not a Python file"))
        .help("name a file that ends in `.py`, a module such as `package.module:pipeline`, or a program that has pipelines in Rust"))
}

/// Checks that a file that was typed is one.
pub(crate) fn check_file(file: &str, what: &str) -> Result<(), CommandError> {
    match fs::metadata(file) {
        Ok(found) if found.is_dir() => {
            Err(CommandError::usage(format!("{what} `{file}` is a folder; name a file in it")))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let meant = above(Path::new(file)).or_else(|| neighbour(Path::new(file)));
            let help = meant.map_or_else(
                || "check its path, which starts in the working directory".to_owned(),
                |name| format!("did you mean `{name}`?"),
            );
            Err(CommandError::usage(format!("{what} `{file}` does not exist; {help}")))
        }
        Err(error) => Err(CommandError::failed(format!("{what} `{file}` cannot be read: {error}"))),
    }
}

/// Returns the file that `file` would be in a folder above this one, up to the source root, as it
/// is reached from here.
fn above(file: &Path) -> Option<String> {
    let here = std::env::current_dir().ok()?;
    let root = places::source_root(&here)?;
    let depth = here.strip_prefix(&root).ok()?.components().count();
    let steps = here.ancestors().skip(1).take(depth);
    let climb = steps.zip(1..).find(|(folder, _)| folder.join(file).is_file())?.1;
    Some(format!("{}{}", "../".repeat(climb), file.display()))
}

/// Returns the file beside `file` with the nearest name. What all such files end in, as in `.py`,
/// makes no two of them near.
fn neighbour(file: &Path) -> Option<String> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let names: Vec<String> = fs::read_dir(folder.unwrap_or(Path::new(".")))
        .ok()?
        .flatten()
        .map(|entry| PathBuf::from(entry.file_name()))
        .filter(|name| name.extension() == file.extension())
        .filter_map(|name| Some(name.file_stem()?.to_str()?.to_owned()))
        .collect();
    let meant = nearest(file.file_stem()?.to_str()?, names.iter().map(String::as_str))?;
    let mut meant = folder.unwrap_or(Path::new("")).join(meant).into_os_string();
    if let Some(extension) = file.extension() {
        meant.push(".");
        meant.push(extension);
    }
    meant.into_string().ok()
}
