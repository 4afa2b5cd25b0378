//! Steps that go wrong in every way that a test wants to see.
//!
//! Run it with `cargo run --bin failing -- run errors`.

use std::fmt;
use std::num::ParseIntError;
use std::path::PathBuf;

use partita::prelude::*;

/// An error with a cause, and what it says itself.
#[derive(Debug)]
struct Because<E>(&'static str, E);

impl<E> fmt::Display for Because<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl<E: std::error::Error + 'static> std::error::Error for Because<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.1)
    }
}

fn told(failure: &Failure) {
    println!("told of: {}", failure.message);
}

fn stored() {
    println!("stored");
}

#[step(on_success = stored)]
fn works() -> u32 {
    1
}

#[step(retry(max = 1), on_failure = told)]
fn returns_an_error(before: u32) -> Result<u32, Because<Because<ParseIntError>>> {
    let rows = format!("{before} rows");
    let counted = rows.parse().map_err(|error| Because("the rows cannot be counted", error));
    counted.map_err(|error| Because("there is no table", error))
}

#[step]
#[allow(clippy::panic)]
fn panics(before: u32) -> u32 {
    panic!("{before} is too little")
}

#[step]
fn aborts(before: u32) -> u32 {
    eprintln!("aborting after {before}");
    std::process::abort()
}

#[step]
fn overflows_its_stack(before: u32) -> u64 {
    fn deeper(depth: u64) -> u64 {
        let kept = std::hint::black_box([depth; 512]);
        if kept[1] == u64::MAX { 0 } else { deeper(depth + 1) + kept[0] }
    }
    deeper(before.into())
}

#[step]
fn leaves_a_thread(before: u32) -> u32 {
    std::thread::spawn(|| {
        loop {
            std::thread::park();
        }
    });
    before + 1
}

/// Waits until a file is there.
#[step]
fn waits_for(file: &str) -> u32 {
    println!("waiting for {file}");
    while !std::path::Path::new(file).exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    1
}

/// Takes too long the first time.
#[step(timeout = "300ms", retry(max = 1))]
fn late_once() -> u32 {
    let attempt = StepContext::current().map_or(1, |context| context.attempt());
    if attempt == 1 {
        loop {
            std::thread::park();
        }
    }
    attempt
}

#[pipeline]
fn aborting() {
    aborts(works());
}

#[pipeline]
fn late() {
    late_once();
}

#[pipeline]
fn waiting(#[default("go")] file: String) {
    leaves_a_thread(waits_for(file));
}

fn ended() {
    println!("the run has ended");
}

fn failed(failure: &Failure) {
    println!("the run has failed: {}", failure.message);
}

#[step]
fn square(number: u32, plus: u32) -> Result<u32> {
    println!("squaring {number}");
    number.checked_mul(number).map(|square| square + plus).ok_or_else(|| "too large".into())
}

#[step]
fn add(numbers: &[u32]) -> u32 {
    numbers.iter().sum()
}

#[step]
fn numbers(count: u32) -> Vec<u32> {
    (0..count).collect()
}

/// Maps a step over a list of the pipeline, over one that another step makes, and over outputs.
#[pipeline(on_success = ended, on_failure = failed)]
fn mapped(#[default(3)] count: u32, #[default(2)] largest: u32) {
    let given = square::map(vec![1, largest], 0_u32);
    let made = square::map(numbers(count), 1_u32);
    let sums = vec![add(&given), add(&made)];
    add(square::map(sums, 0_u32)).id("total");
}

/// A command that makes a file, or not.
#[step(command = ["sh", "-c", input.script, "sh", output])]
fn makes(script: &str) -> PathBuf;

#[pipeline]
fn commanding(script: String) {
    makes(script);
}

/// What its name says is for no shell.
#[step(name = "a b; touch pwned; $(touch pwned) `touch pwned` > 'pwned' \"*\" & #")]
fn odd(text: &str) -> String {
    text.to_owned()
}

#[pipeline(name = "odd; $(touch pwned)")]
fn oddly_named(text: String) {
    odd(text.clone());
    odd(text).id("$(touch pwned); 'id'");
}

#[pipeline]
fn errors() {
    let _ = returns_an_error(works());
}

#[pipeline]
fn panicking() {
    panics(works());
}

#[pipeline(failure_mode = "continue_on_failure")]
fn crashing() {
    let before = works();
    aborts(&before);
    overflows_its_stack(&before);
    leaves_a_thread(&before);
}

fn main() -> ExitCode {
    partita::main![
        errors,
        panicking,
        crashing,
        waiting,
        late,
        aborting,
        mapped,
        commanding,
        oddly_named
    ]
}
