//! What is shown of a build that failed: what whatever failed has said, in one paragraph.

use std::path::Path;

/// How many lines are shown where nothing says which of them matter.
const LAST: usize = 4;

/// Returns why a build failed: the words of what failed in it, and where all of its output is.
pub(crate) fn why(output: &str, failure: &str, log: &Path) -> String {
    let lines = || output.lines().map(str::trim).filter(|line| !line.is_empty());
    let is_told = |line: &&str| {
        let line = line.to_lowercase();
        line.starts_with("error") || line.starts_with("e: ") || line.contains("no space left")
    };
    let mut told: Vec<&str> = lines().filter(is_told).collect();
    if told.is_empty() {
        let all: Vec<&str> = lines().collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resolvers_own_words_are_shown() {
        let output =
            "Collecting a\nERROR: Could not find a version\n\nERROR: No matching\nStep 3\n";
        let expected = "ERROR: Could not find a version; ERROR: No matching (code 1); all that was said is in `/log`";
        assert_eq!(why(output, "code 1\n", Path::new("/log")), expected);
        assert_eq!(why("a\nb\n", "", Path::new("/log")), "a; b; all that was said is in `/log`");
    }
}
