//! What the macros write, written by hand: steps, one of several outputs, one that is mapped, one that
//! is a command, and a pipeline.
//!
//! Run it with `cargo run --bin by_hand -- run`.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use partita::program::OfferedStep;
use partita::value::ValueError;
use partita::{
    Arguments, Call, Command, Declared, Failure, Feeds, FeedsEach, Format, Invocation, Invoked,
    Options, Output, Outputs, Pipeline, Result, Returned, Saver, Step, StepSource,
};

/// Numbers in two parts: in place of `#[derive(Outputs)]`.
struct Halves {
    first: Vec<f64>,
    second: Vec<f64>,
}

/// What stands for the parts in a pipeline.
struct HalvesHandles {
    first: Output<Vec<f64>>,
    second: Output<Vec<f64>>,
    invoked: Invoked,
}

impl Invocation for HalvesHandles {
    fn invoked(&self) -> &Invoked {
        &self.invoked
    }
}

/// What stands for the lists of them where their step is mapped.
struct HalvesMappedHandles {
    first: Output<Vec<Vec<f64>>>,
    second: Output<Vec<Vec<f64>>>,
    invoked: Invoked,
}

impl Invocation for HalvesMappedHandles {
    fn invoked(&self) -> &Invoked {
        &self.invoked
    }
}

impl Outputs for Halves {
    type Handles = HalvesHandles;
    type Mapped = HalvesMappedHandles;

    fn declared() -> Vec<Declared> {
        vec![Declared::of::<Vec<f64>>("first"), Declared::of::<Vec<f64>>("second")]
    }

    fn handles(invoked: Invoked) -> HalvesHandles {
        let first = Output::of(&invoked, "first");
        HalvesHandles { first, second: Output::of(&invoked, "second"), invoked }
    }

    fn mapped(invoked: Invoked) -> HalvesMappedHandles {
        let first = Output::of(&invoked, "first");
        HalvesMappedHandles { first, second: Output::of(&invoked, "second"), invoked }
    }

    fn save(self, saver: &mut Saver<'_>) -> Result<(), ValueError> {
        saver.save("first", &self.first)?;
        saver.save("second", &self.second)
    }
}

/// A step: in place of `#[step(cache_version = "1")]`.
struct Halve;

impl StepSource for Halve {
    const SOURCE: &'static str = "by_hand::halve";

    fn definition() -> Step {
        Step::new("halve")
            .at(file!(), line!())
            .input::<Vec<f64>>("numbers")
            .with(Options::new().cache_version("1"))
            .runs(|inputs| {
                let mut first: Vec<f64> = inputs.take("numbers")?;
                let second = first.split_off(first.len() / 2);
                Ok(Halves { first, second })
            })
    }
}

/// Stands for the input `numbers` of either step in messages of the compiler.
struct Numbers;

/// Calls the step in a pipeline. Messages of the program, too, tell of the line that calls it.
#[track_caller]
fn halve(numbers: impl Feeds<Halve, Numbers, Vec<f64>>) -> HalvesHandles {
    Call::of::<Halve>().give("numbers", numbers).returns::<Halves, _>()
}

/// Maps it, as `halve::map` would.
#[track_caller]
fn halve_each(
    numbers: impl FeedsEach<Halve, Numbers, Vec<f64>>,
) -> <Halves as Returned<partita::Several>>::Mapped {
    Call::of::<Halve>().each::<Halve, Numbers, _>("numbers", numbers).returns_each::<Halves, _>()
}

/// Another step.
struct Sum;

impl StepSource for Sum {
    const SOURCE: &'static str = "by_hand::sum";

    fn definition() -> Step {
        Step::new("sum")
            .input::<Vec<f64>>("numbers")
            .on_success(stored)
            .on_failure(failed)
            .runs(|inputs| Ok(inputs.take::<Vec<f64>>("numbers")?.iter().sum::<f64>()))
    }
}

/// What `#[step(on_success = stored, on_failure = failed)]` calls.
fn stored() {
    println!("the sum is stored");
}

fn failed(failure: &Failure) {
    println!("there is no sum: {}", failure.message);
}

fn sum(numbers: impl Feeds<Sum, Numbers, Vec<f64>>) -> Output<f64> {
    Call::of::<Sum>().give("numbers", numbers).returns::<f64, _>()
}

/// A step that is mapped, and whose values are stored as `#[step(format = "binary")]` has them.
struct Square;

impl StepSource for Square {
    const SOURCE: &'static str = "by_hand::square";

    fn definition() -> Step {
        Step::new("square").input::<f64>("number").stored_as(Format::Binary).runs(|inputs| {
            let number: f64 = inputs.take("number")?;
            Ok(number * number)
        })
    }
}

/// Stands for its input.
struct Number;

/// Maps it, as `square::map` would.
fn square_each(numbers: impl FeedsEach<Square, Number, f64>) -> Output<Vec<f64>> {
    Call::of::<Square>().each::<Square, Number, f64>("number", numbers).returns_each::<f64, _>()
}

/// A step that is mapped over lists.
struct Length;

impl StepSource for Length {
    const SOURCE: &'static str = "by_hand::length";

    fn definition() -> Step {
        Step::new("length")
            .input::<Vec<f64>>("numbers")
            .runs(|inputs| Ok(inputs.take::<Vec<f64>>("numbers")?.len()))
    }
}

fn count_each(lists: impl FeedsEach<Length, Numbers, Vec<f64>>) -> Output<Vec<usize>> {
    Call::of::<Length>().each::<Length, Numbers, _>("numbers", lists).returns_each::<usize, _>()
}

/// A step that writes a file, for the next one.
struct Write;

impl StepSource for Write {
    const SOURCE: &'static str = "by_hand::write";

    fn definition() -> Step {
        Step::new("write").input::<u32>("count").runs(|inputs| {
            let count: u32 = inputs.take("count")?;
            let lines: String = (0..count).rev().map(|number| format!("{number}\n")).collect();
            let path = std::env::temp_dir().join(format!("by-hand-{}", std::process::id()));
            fs::write(&path, lines)?;
            Ok(path)
        })
    }
}

struct Count;

fn write(count: impl Feeds<Write, Count, u32>) -> Output<PathBuf> {
    Call::of::<Write>().give("count", count).returns::<PathBuf, _>()
}

/// A step that is a command: in place of `#[step(command = ["sort", "-n", input.raw, "-o", output])]`.
struct Sort;

impl StepSource for Sort {
    const SOURCE: &'static str = "by_hand::sort";

    fn definition() -> Step {
        let sort = Command::new("sort").text("-n").input("raw").text("-o").output("output");
        Step::new("sort").input::<PathBuf>("raw").starts::<PathBuf, _>(sort)
    }
}

struct Raw;

fn sort(raw: impl Feeds<Sort, Raw, PathBuf>) -> Output<PathBuf> {
    Call::of::<Sort>().give("raw", raw).returns::<PathBuf, _>()
}

/// A pipeline: in place of `#[pipeline(retry(max = 1), on_success = ended, on_failure = failed)]`.
fn halves() -> Pipeline {
    Pipeline::new("halves", "by_hand::halves")
        .at(file!(), line!())
        .with(Options::new().max_retries(1).at(file!(), line!()))
        .on_success(ended)
        .on_failure(failed)
        .parameter_with::<Halves, Count, u32>("count", 4)
        .parameter_with::<Halves, Parts, Option<Vec<Vec<f64>>>>("parts", None)
        .calls(put_together)
}

/// Stands for the other parameter in messages.
struct Parts;

fn ended() {
    println!("the run has ended");
}

fn put_together(given: &Arguments) -> Result<(), ValueError> {
    let count: u32 = given.get("count")?;
    let parts = halve((0..count).map(f64::from).collect::<Vec<_>>());
    let first = sum(&parts.first);
    sum(&parts.second).after(&first);
    square_each(&parts.second);
    sort(write(count));
    if let Some(parts) = given.get::<Option<Vec<Vec<f64>>>>("parts")? {
        let halves = halve_each(parts);
        count_each(&halves.first);
        count_each(&halves.second).after(&halves);
    }
    Ok(())
}

/// In place of `partita::main![halves; halve]`.
fn main() -> ExitCode {
    partita::program::main_with(&[halves()], &[OfferedStep::of::<Halve>()])
}
