//! Steps in containers of an image that has nothing but an executable, which one of them starts.
//!
//! Build it so that it needs nothing either, with `cargo rustc --bin boxed -- -C target-feature=+crt-static`,
//! put it into an empty image as `/bin/tally`, and run it on an orchestrator of flavor `docker` with that image.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use partita::prelude::*;

/// Makes a text of a word.
#[step]
fn repeat(word: String, times: usize) -> String {
    vec![word; times].join(" ")
}

#[step(command = ["tally", input.text, output])]
fn tally(text: String) -> PathBuf;

/// Says what was counted, and what programs it sees.
#[step]
fn report(tallied: PathBuf) -> Result<String> {
    let programs = fs::read_dir("/bin")?.collect::<io::Result<Vec<_>>>()?;
    let programs: Vec<_> = programs.iter().map(|entry| entry.file_name()).collect();
    Ok(format!("{} words, counted with {programs:?}", fs::read_to_string(tallied)?))
}

#[pipeline]
fn boxed(#[default("box".to_owned())] word: String, #[default(3)] times: usize) {
    report(tally(repeat(word, times)));
}

/// What the command does: counts the words of a text, and writes that into a file.
fn count(text: &str, file: &str) -> ExitCode {
    match fs::write(file, text.split_whitespace().count().to_string()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{file}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = env::args().collect();
    match words.as_slice() {
        [name, text, file] if Path::new(name).ends_with("tally") => count(text, file),
        _ => partita::main![boxed],
    }
}
