//! Pipelines whose steps do next to nothing, and the same by hand, for `make bench`.
//!
//! `bench_program run chain --param length=100` runs steps; `bench_program by-hand steps 100 FOLDER`
//! leaves as much. What is measured is printed, in seconds.

#![allow(clippy::expect_used, clippy::panic, reason = "a benchmark that fails ends")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use partita::prelude::*;

/// Returns the time of day in seconds.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

#[step]
fn increment(number: u64) -> u64 {
    number + 1
}

#[step(cache = false)]
fn say(_number: u64) {
    println!("{}", now());
}

/// Adds one in each of many steps; says when the first begins, and when the last has ended.
#[pipeline]
fn chain(#[default(10)] length: usize) {
    let begun = say(0_u64);
    let mut number = increment(0_u64).after(&begun);
    for _ in 1..length {
        number = increment(&number);
    }
    say(&number);
}

#[step(cache = false)]
fn say_when() {
    println!("{}", now());
}

/// Says when its first step is called.
#[pipeline]
fn starting() {
    say_when();
}

#[step(format = "binary", cache = false)]
fn make(length: usize) -> Vec<f64> {
    let numbers = (0..length).map(|number| number as f64).collect();
    println!("{}", now());
    numbers
}

#[step(cache = false)]
fn take(numbers: &[f64]) -> f64 {
    println!("{}", now());
    numbers.last().copied().unwrap_or_default()
}

/// Passes numbers on; says when they were made, and when they were there.
#[pipeline]
fn vector(#[default(12_500_000)] length: usize) {
    take(make(length));
}

/// Makes each result durable: a folder with its document and its cache entry, and a row.
fn steps_by_hand(length: usize, folder: &Path) -> f64 {
    let index = rusqlite::Connection::open(folder.join("index.db")).expect("a database");
    index
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
             CREATE TABLE step (name TEXT PRIMARY KEY, ended REAL, value TEXT)",
        )
        .expect("a table");
    let begun = Instant::now();
    for number in 0..length {
        let place = folder.join(number.to_string());
        fs::create_dir(&place).expect("a folder");
        let (name, ended) = (format!("{number}-increment"), now());
        let document = serde_json::json!({
            "step": name, "status": "completed", "ended": ended, "value": number + 1,
        });
        let document = document.to_string();
        write_whole(&place.join(format!("{name}.json")), &document);
        let mut insert =
            index.prepare_cached("INSERT INTO step VALUES (?, ?, ?)").expect("a statement");
        insert.execute((&name, ended, number.to_string())).expect("a row");
        write_whole(&place.join("cached.json"), &document);
    }
    begun.elapsed().as_secs_f64()
}

/// Writes a file that is there whole or not at all.
fn write_whole(path: &Path, text: &str) {
    let temporary = path.with_extension("new");
    fs::write(&temporary, text).expect("a file");
    fs::rename(temporary, path).expect("its name");
}

/// Writes numbers to a file and reads them again.
fn vector_by_hand(length: usize, folder: &Path) -> f64 {
    let made: Vec<f64> = (0..length).map(|number| number as f64).collect();
    let path = folder.join("numbers");
    let begun = Instant::now();
    let mut file = File::create(&path).expect("a file");
    file.write_all(bytemuck::cast_slice(&made)).expect("room");
    drop(file);
    let mut read = vec![0.0_f64; length];
    let mut file = File::open(&path).expect("the file");
    file.read_exact(bytemuck::cast_slice_mut(&mut read)).expect("the numbers");
    assert_eq!(made.last(), read.last());
    begun.elapsed().as_secs_f64()
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    let ["by-hand", what, length, folder] = words[..] else {
        return partita::main![chain, starting, vector];
    };
    let (length, folder) = (length.parse().expect("a number"), Path::new(folder));
    let seconds = match what {
        "steps" => steps_by_hand(length, folder),
        "vector" => vector_by_hand(length, folder),
        other => panic!("`{other}` is nothing by hand"),
    };
    println!("{seconds}");
    ExitCode::SUCCESS
}
