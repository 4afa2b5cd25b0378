//! The words for how a plugin ended, and for what it wrote.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::sys::signal::Signal;

/// Characters of a line that a message shows; it is cleared of secrets before it is cut.
const SHOWN: usize = 120;
/// Characters of an error that are told, likewise.
const TOLD: usize = 2000;

/// Returns how a process ended.
pub(super) fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(signal) => format!("was ended by {signal}"),
            Err(_) => format!("was ended by signal {number}"),
        },
        (None, None) => "has ended".to_owned(),
    }
}

/// Returns what is said of a line where only messages belong.
pub(super) fn stray(line: &str, reason: &str) -> String {
    let line = shown(line);
    format!(
        "wrote `{line}` to its standard output, which is no message of the plugin protocol \
         ({reason}); whatever else it prints belongs on its standard error"
    )
}

/// Returns as much of a line as a message shows.
pub(super) fn shown(line: &str) -> String {
    cut(line.trim(), SHOWN)
}

/// Returns as much of what a plugin says as is told.
pub(super) fn told(said: &str) -> String {
    cut(said, TOLD)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
