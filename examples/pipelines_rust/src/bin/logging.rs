//! Steps that say what they do, in their logs.
//!
//! Run it with `RUST_LOG=debug cargo run --bin logging -- run`.

use std::thread;

use partita::prelude::*;
use tracing::{debug, info, info_span, warn};

/// Counts the words of each text, a thread for each.
#[step]
fn count(texts: &[String]) -> Vec<usize> {
    info!(texts = texts.len(), "counting");
    let counted = |text: &String| {
        let _text = info_span!("text", letters = text.len()).entered();
        let count = text.split_whitespace().count();
        debug!(count, "counted");
        if count == 0 {
            warn!("a text has no words");
        }
        count
    };
    thread::scope(|scope| {
        let threads: Vec<_> = texts.iter().map(|text| scope.spawn(move || counted(text))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}

#[step]
fn add(counts: &[usize]) -> usize {
    println!("adding {} counts", counts.len());
    let sum = counts.iter().sum();
    info!("the sum is {sum}");
    println!("added");
    sum
}

#[pipeline]
fn logging(#[default(vec!["one two".to_owned(), String::new()])] texts: Vec<String>) {
    add(count(texts));
}

fn main() -> ExitCode {
    partita::main![logging]
}
