//! Where things are on this machine: the home and the source root.

use std::fs;
use std::io::{Error, Read};
use std::ops::Range;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use nix::libc::O_NONBLOCK;
use partita_core::name::nearest;

/// The variable that names the home.
pub const HOME_VARIABLE: &str = "PARTITA_HOME";
/// The folder that marks a source root.
pub const MARK: &str = ".partita";
/// The key of a configuration file that names the active stack.
const STACK_KEY: &str = "stack";

/// Returns the folder of the home: `PARTITA_HOME`, else `partita` in the XDG data folder.
pub fn home() -> PathBuf {
    if let Some(named) = std::env::var_os(HOME_VARIABLE).filter(|named| !named.is_empty()) {
        let named = PathBuf::from(named);
        return std::path::absolute(&named).unwrap_or(named);
    }
    match etcetera::choose_base_strategy() {
        Ok(base) => base.data_dir().join("partita"),
        Err(_) => PathBuf::from(".partita-home"),
    }
}

/// Returns the nearest folder at or above `start` that `partita init` has marked.
pub fn source_root(start: &Path) -> Option<PathBuf> {
    let start = std::path::absolute(start).ok()?;
    start.ancestors().find(|folder| folder.join(MARK).is_dir()).map(Path::to_owned)
}

/// Refuses a source root whose mark belongs to another user, who could choose the stack.
///
/// # Errors
/// Whose it is, and what to do.
pub fn check_owner(source_root: &Path) -> Result<(), String> {
    let Ok(mark) = fs::metadata(source_root.join(MARK)) else { return Ok(()) };
    let own = nix::unistd::getuid().as_raw();
    if mark.uid() == own || mark.uid() == 0 {
        return Ok(());
    }
    Err(format!(
        "the source root `{}` belongs to another user (uid {}), whose code and configuration would run as you; copy it, or make its folder `{MARK}` your own",
        source_root.display(),
        mark.uid()
    ))
}

/// Returns the file that holds the active stack: in the source root, or else in the home.
pub fn config_file(source_root: Option<&Path>, home: &Path) -> PathBuf {
    match source_root {
        Some(root) => root.join(MARK).join("config.toml"),
        None => home.join("config.toml"),
    }
}

/// Reads the active stack from a configuration file.
///
/// # Errors
/// What is wrong with the file, and what to do.
pub fn active_stack(config: &Path) -> Result<Option<String>, String> {
    let text = match read(config) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("`{}` cannot be read: {error}", config.display())),
    };
    let place = |span: Option<Range<usize>>| {
        let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
        format!("`{}`:{}", config.display(), before.matches('\n').count() + 1)
    };
    let document = toml_edit::Document::parse(text.as_str()).map_err(|error| {
        let place = place(error.span());
        format!("{place}: it is not valid TOML: {}; correct or delete it", error.message())
    })?;
    let mut active = None;
    for (key, item) in document.iter() {
        if key != STACK_KEY {
            let place = place(document.key(key).and_then(toml_edit::Key::span));
            let meant = match nearest(key, [STACK_KEY]) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("its only key is `{STACK_KEY}`"),
            };
            return Err(format!("{place}: `{key}` is not a key of it; {meant}"));
        }
        let name = item.as_str().ok_or_else(|| {
            let value = text.get(item.span().unwrap_or_default()).unwrap_or_default();
            format!(
                "{}: `{key}` takes a text, not `{value}`; write `{key} = \"default\"`",
                place(item.span())
            )
        })?;
        active = Some(name.to_owned());
    }
    Ok(active)
}

/// Writes the active stack, keeping whatever else the file holds.
///
/// # Errors
/// What kept it from being written.
pub fn set_active_stack(config: &Path, stack: &str) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| {
        format!("`{}` cannot be written: {error}", config.display())
    };
    let text = match read(config) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(&error)),
        text => text.unwrap_or_default(),
    };
    let mut document: toml_edit::DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| failed(&error))?;
    let comments =
        if document.is_empty() { std::mem::take(&mut document).to_string() } else { String::new() };
    document[STACK_KEY] = toml_edit::value(stack);
    if let Some(folder) = config.parent() {
        fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    }
    fs::write(config, format!("{comments}{document}")).map_err(|error| failed(&error))
}

/// Reads a file, and never waits for somebody to write it: a pipe is refused.
fn read(path: &Path) -> std::io::Result<String> {
    let mut file = fs::OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(Error::other("it is no regular file; delete it, or put one in its place"));
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_that_is_no_regular_file_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let pipe = folder.path().join("config.toml");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("made");
        for config in [&pipe, folder.path()] {
            let read = active_stack(config).expect_err("read");
            assert!(read.contains("no regular file"), "{read}");
            let written = set_active_stack(config, "other").expect_err("written");
            assert!(written.contains("no regular file"), "{written}");
        }
    }
}
