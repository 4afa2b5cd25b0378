//! Passes values with a format of the author's own, which Python reads and writes as well.
//!
//! Run it with `cargo run --bin vocabulary -- run`; `docs/guide/materializers.md` has one in Python.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use partita::prelude::*;
use partita::{Materializer, Stored};

/// Words, each once and in order: a file with one in each line.
struct Vocabulary {
    words: Vec<String>,
}

impl Materializer for Vocabulary {
    const FORMAT: &str = "vocabulary";
    const TYPE: &str = "vocabulary.Vocabulary";

    fn save(&self, folder: &Path) -> Result<()> {
        if self.words.is_empty() {
            return Err("a vocabulary has words, and this one has none".into());
        }
        Ok(fs::write(folder.join("words.txt"), self.words.join("\n"))?)
    }

    fn load(folder: &Path) -> Result<Self> {
        let text = fs::read_to_string(folder.join("words.txt"))?;
        Ok(Self { words: text.lines().map(str::to_owned).collect() })
    }
}

#[step]
fn collect(text: &str) -> Stored<Vocabulary> {
    let words: BTreeSet<_> = text.split_whitespace().collect();
    Stored(Vocabulary { words: words.into_iter().map(str::to_owned).collect() })
}

#[step]
fn count(vocabulary: Stored<Vocabulary>) -> usize {
    vocabulary.words.len()
}

#[pipeline]
fn counting(#[default("b a b".to_owned())] text: String) {
    count(collect(text));
}

fn main() -> ExitCode {
    partita::main![counting; collect, count]
}
