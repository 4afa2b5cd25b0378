//! What is shown of a build that failed: what whatever failed has said, in one paragraph.

use std::path::Path;

/// How many lines are shown where nothing says which of them matter.
const LAST: usize = 4;

/// What begins lines of installers that say why, in small letters.
const TOLD: [&str; 4] = ["error", "e: ", "cause", "the conflict is caused by"];

/// What the engine says of its own work.
const OF_ENGINE: [&str; 2] = ["--->", "Removing intermediate container"];

/// Returns why a build failed: the words of what failed in it, and where all of its output is.
pub(crate) fn why(output: &str, failure: &str, log: &Path) -> String {
    let output = without_colours(output);
    let mut told = told(&output);
    if told.is_empty() {
        let lines = output.lines().map(str::trim).filter(|line| !line.is_empty());
        let all: Vec<&str> = lines.filter(|line| !of_engine(line)).collect();
        told = all[all.len().saturating_sub(LAST)..].iter().map(ToString::to_string).collect();
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

/// Returns the lines that say why, each with those that go on with it, which are set in.
fn told(output: &str) -> Vec<String> {
    let is_told = |line: &str| {
        let line = line.to_lowercase();
        TOLD.iter().any(|told| line.starts_with(told)) || line.contains("no space left")
    };
    let mut told: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in output.lines() {
        let text = line.trim();
        if is_told(text) {
            told.push(without_label(text).to_owned());
            goes_on = true;
        } else if goes_on && !text.is_empty() && line.starts_with(' ') && !of_engine(text) {
            if let Some(last) = told.last_mut() {
                *last = format!("{last} {text}");
            }
        } else {
            goes_on = false;
        }
    }
    told
}

/// Returns whether the engine says something of its own work.
fn of_engine(line: &str) -> bool {
    OF_ENGINE.iter().any(|begin| line.starts_with(begin))
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
            "Using CPython\n\x1b[31merror\x1b[0m: No solution\n  cause: Because of a\n    And b.\nx\n",
            "",
            "No solution; cause: Because of a And b.",
        );
        check(
            "The conflict is caused by:\n    a 1 needs b\n    b is not a\n\nERROR: Impossible\n ---> 1\n",
            "",
            "The conflict is caused by: a 1 needs b b is not a; Impossible",
        );
        check("a\nb\n ---> Running in c\n\x1b[0mRemoving intermediate container c", "", "a; b");
    }
}
