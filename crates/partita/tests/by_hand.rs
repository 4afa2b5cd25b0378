//! The example without macros has all that they write.

#![allow(clippy::expect_used, reason = "tests may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What is there for wrong programs alone, to be told of.
const MESSAGES: &str = "clashing";

/// Returns the lines of a file that are no comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a file of sources");
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Returns the words that follow `mark` in a text.
fn words_after(text: &str, mark: &str) -> BTreeSet<String> {
    let is_word = |letter: &char| letter.is_alphanumeric() || *letter == '_';
    text.split(mark)
        .skip(1)
        .map(|rest| rest.chars().take_while(is_word).collect::<String>())
        .filter(|word| !word.is_empty())
        .collect()
}

#[test]
fn the_example_by_hand_uses_no_macro_and_whatever_macros_write() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let example = code(&root.join("examples/pipelines_rust/src/bin/by_hand.rs"));
    for written in ["#[step", "#[pipeline", "#[derive", "main!"] {
        assert!(!example.contains(written), "`{written}` is a macro");
    }
    let sources = fs::read_dir(root.join("crates/partita-macros/src")).expect("the macros");
    let mut used = BTreeSet::new();
    for source in sources {
        let text = code(&source.expect("a file").path());
        used.extend(words_after(&text, "::partita::"));
    }
    used.remove(MESSAGES);
    assert!(used.contains("Feeds") && used.contains("StepSource"), "{used:?}");
    let known: BTreeSet<&str> =
        example.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
    let missing: Vec<_> = used.iter().filter(|word| !known.contains(word.as_str())).collect();
    assert!(missing.is_empty(), "the macros write {missing:?}, and `by_hand` does not");
}
