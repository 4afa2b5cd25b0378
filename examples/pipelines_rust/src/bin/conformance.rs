//! What the conformance suite runs on an orchestrator to see whether it runs programs in Rust.
//!
//! Play it with `partita orchestrator flavor test process --conformance-program target/debug/conformance`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use partita::prelude::*;

#[step]
fn numbers(count: u32) -> Vec<u32> {
    println!("out é 漢");
    tracing::info!(count, "an event");
    (0..count).collect()
}

#[step]
fn square(number: u32) -> u32 {
    number * number
}

#[step]
fn add(squares: &[u32], texts: Vec<String>) -> (u32, String) {
    (squares.iter().sum(), texts.concat())
}

/// A list, a step for each of its items, and one that takes what they made.
#[pipeline]
fn mapped(#[default(3)] count: u32) {
    add(square::map(numbers(count)), vec!["é".to_owned(), "$(x) '".to_owned()]);
}

#[step(retry(max = 3, delay = 0), cache = false)]
fn flaky() -> Result<u32> {
    match StepContext::current().map_or(1, |context| context.attempt()) {
        attempt @ ..3 => Err(format!("attempt {attempt}").into()),
        attempt => Ok(attempt),
    }
}

#[pipeline]
fn retried() {
    flaky();
}

#[step(cache = false)]
#[allow(clippy::panic, reason = "that is what it is for")]
fn panics() {
    panic!("no luck: é");
}

#[pipeline]
fn panicking() {
    panics();
}

#[step(cache = false)]
fn end(code: i32) {
    std::process::exit(code);
}

#[pipeline]
fn ending(code: i32) {
    end(code);
}

/// Notes a call in a folder that it shares with the suite.
fn called(folder: &Path, what: &str) -> Result<()> {
    let calls = folder.join("calls");
    let before = fs::read_to_string(&calls).unwrap_or_default();
    Ok(fs::write(calls, format!("{before}{what}\n"))?)
}

#[step(cache = false)]
fn first(folder: String) -> Result<u32> {
    called(Path::new(&folder), "first")?;
    Ok(1)
}

/// Says that it lives until a file is there, or the folder is not.
#[step(cache = false)]
fn wait(folder: String, number: u32) -> Result<u32> {
    let folder = PathBuf::from(folder);
    called(&folder, "wait")?;
    fs::write(folder.join("begun"), "begun")?;
    for round in 0_u64.. {
        if folder.join("go").exists() {
            break;
        }
        folder.join("begun").metadata()?;
        fs::write(folder.join("alive"), round.to_string())?;
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(number)
}

#[step(cache = false)]
fn last(folder: String, number: u32) -> Result<u32> {
    called(Path::new(&folder), "last")?;
    Ok(number)
}

#[pipeline]
fn waiting(folder: String) {
    last(&*folder, wait(&*folder, first(&*folder)));
}

fn main() -> ExitCode {
    partita::main![mapped, retried, panicking, ending, waiting]
}
