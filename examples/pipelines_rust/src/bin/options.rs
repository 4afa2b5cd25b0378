//! Options of steps, of single uses of them and of whole pipelines, and what a step knows of itself.
//!
//! Run it with `cargo run --bin options -- run known`.

use std::collections::BTreeMap;
use std::fs;

use partita::prelude::*;
use serde::{Deserialize, Serialize};

/// What a step knows of its place in a run.
#[derive(Serialize, Deserialize)]
struct Known {
    run_id: String,
    run_name: String,
    pipeline: String,
    step: String,
    item: Option<u32>,
    attempt: u32,
    label: Option<String>,
    threads: Option<String>,
}

fn known(context: &StepContext) -> Known {
    Known {
        run_id: context.run_id().to_owned(),
        run_name: context.run_name().to_owned(),
        pipeline: context.pipeline_name().to_owned(),
        step: context.step_name().to_owned(),
        item: context.item(),
        attempt: context.attempt(),
        label: context.parameter("label"),
        threads: std::env::var("OMP_NUM_THREADS").ok(),
    }
}

/// Notes metadata and a line of its log, also from a thread of its own.
#[step(resources(cpu = 2), cache = false)]
fn know(number: u32, label: Option<String>) -> Result<Known> {
    let context = StepContext::current().ok_or("a step has a context")?;
    context.add_metadata("label", &label);
    context.add_metadata("number", number);
    let others = context.clone();
    std::thread::spawn(move || others.log(&format!("number {number}")))
        .join()
        .map_err(|_| "lost")?;
    Ok(known(&context))
}

#[pipeline(name = "what is known")]
fn knowing() {
    know(7_u32, "a label").id("one");
    know::map(vec![1_u32, 2], None).id("each");
}

fn told(failure: &Failure) {
    println!("hook: {}", failure.message);
}

fn stored() {
    println!("hook: stored");
}

/// Fails until an attempt.
#[step(retry(max = 1, delay = 0), on_success = stored, on_failure = told)]
fn flaky(until: u32) -> Result<u32> {
    match StepContext::current().map_or(1, |context| context.attempt()) {
        attempt if attempt < until => Err(format!("attempt {attempt} of {until}").into()),
        attempt => Ok(attempt),
    }
}

fn run_stored() {
    println!("hook: the run is stored");
}

fn run_failed(failure: &Failure) {
    println!("hook: the run has failed: {}", failure.message);
}

/// The second use is more patient than the step, and the third less.
#[pipeline(failure_mode = "continue_on_failure", on_success = run_stored, on_failure = run_failed)]
fn trying(#[default(3)] patience: u32) {
    let two = flaky(2_u32);
    let three = flaky(3_u32).id("patient").with(Options::new().max_retries(patience));
    flaky(1_u32).id("hasty").after(&two).after(&three).with(Options::new().max_retries(0));
}

/// Counts how often it was called, in a file that no key knows of.
#[step]
fn count(file: &str) -> Result<usize> {
    let calls = fs::read_to_string(file).unwrap_or_default() + "x";
    fs::write(file, &calls)?;
    Ok(calls.len())
}

#[step(cache = false)]
fn always(file: &str) -> Result<usize> {
    count::function(file)
}

#[step(cache_files = ["words.txt"], cache_environment = ["WORDS"], cache_version = "1")]
fn keyed(file: &str) -> Result<usize> {
    count::function(file)
}

/// Each use says in another way when an earlier result is taken.
#[pipeline]
fn cached(version: String, expiry: String) {
    always("always");
    keyed("keyed");
    count("version").id("version").with(Options::new().cache_version(version));
    count("expiry").id("expiry").with(Options::new().cache_expiry(expiry));
    count("never").id("never").with(Options::new().enable_cache(false));
}

#[step]
fn sleeps() {
    loop {
        std::thread::park();
    }
}

#[step]
fn takes(bytes: usize) -> usize {
    let taken = std::hint::black_box(vec![1_u8; bytes]);
    taken.iter().map(|byte| usize::from(*byte)).sum()
}

/// What not every orchestrator can enforce.
#[pipeline]
fn bounded(#[default(1)] bytes: usize) {
    let taken = takes(bytes).with(Options::new().memory("1GB").timeout("1m"));
    sleeps().after(&taken).with(Options::new().timeout("200ms"));
}

/// Everything that can be said, in all three places.
#[step(
    name = "everything",
    retry(max = 1, delay = 0.5, backoff = 2),
    timeout = "10m",
    resources(cpu = 1, memory = "1GB", gpu = 1, gpu_class = "a100"),
    cache = false,
    cache_version = "1",
    cache_environment = ["WORDS"],
    cache_expiry = "7d",
    orchestrator = "fast",
    limits = BTreeMap::from([("licence", 2)])
)]
fn everything() {}

#[pipeline(timeout = "1h", cache_version = "0", retry(max = 4))]
fn layered() {
    everything();
    everything().id("another").with(
        Options::new()
            .timeout("20m")
            .max_retries(2)
            .gpu_count(0)
            .cpu_count(2)
            .enable_cache(true)
            .cache_version("2")
            .limits(BTreeMap::from([("licence", 3)])),
    );
    sleeps();
}

fn main() -> ExitCode {
    partita::main![knowing, trying, cached, bounded, layered]
}
