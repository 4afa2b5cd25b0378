//! What is shown of a build that failed: what whatever failed has said, in one paragraph.

use std::path::Path;

/// How many lines are shown where nothing says which of them matter.
const LAST: usize = 4;

/// What begins lines of installers that say why, in small letters.
const TOLD: [&str; 3] = ["error", "e: ", "cause"];

/// What the engine says of its own work.
const OF_ENGINE: [&str; 2] = ["--->", "Removing intermediate container"];

/// Returns why a build failed: the words of what failed in it, and where all of its output is.
pub(crate) fn why(output: &str, failure: &str, log: &Path) -> String {
    let output = without_colours(output);
    let lines = || output.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_told = |line: &&str| {
        let line = line.to_lowercase();
        TOLD.iter().any(|told| line.starts_with(told)) || line.contains("no space left")
    };
    let mut told: Vec<&str> = lines().filter(is_told).map(without_label).collect();
    if told.is_empty() {
        let is_said = |line: &&str| !OF_ENGINE.iter().any(|begin| line.starts_with(begin));
        let all: Vec<&str> = lines().filter(is_said).collect();
        told = all[all.len().saturating_sub(LAST)..].to_vec();
    }
    let told = told.join("; ");
    let failure = failure.trim();
    let words = match (told.is_empty(), failure.is_empty()) {
        (true, _) => failure.to_owned(),
        (false, true) => told,
        (false, false) => format!("{told} ({failure})"),
    };
    format!("{words}; all that was said is in `{}`", log.display())
}

/// Returns text without what sets colours on a terminal.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    plain
}

/// Returns what follows `error: ` on a line.
fn without_label(line: &str) -> &str {
    match line.split_once(": ") {
        Some((label, rest)) if label.eq_ignore_ascii_case("error") => rest,
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resolvers_own_words_are_shown() {
        let check = |output: &str, failure: &str, expected: &str| {
            let expected = format!("{expected}; all that was said is in `/log`");
            assert_eq!(why(output, failure, Path::new("/log")), expected);
        };
        check(
            "Collecting a\nERROR: Could not find a version\n\nERROR: No matching\nStep 3\n",
            "code 1\n",
            "Could not find a version; No matching (code 1)",
        );
        check(
            "Using CPython\n\x1b[31merror\x1b[0m: No solution\n  cause: Because of a\n",
            "",
            "No solution; cause: Because of a",
        );
        check("a\nb\n ---> Running in c\n\x1b[0mRemoving intermediate container c", "", "a; b");
    }
}
