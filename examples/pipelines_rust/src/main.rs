//! A pipeline with several outputs, options, an optional input and metadata.
//!
//! Run it with `cargo run -- run`, or `partita run target/debug/numbers`.

use partita::prelude::*;

/// Numbers in two parts.
#[derive(Outputs)]
struct Split {
    train: Vec<f64>,
    test: Vec<f64>,
}

/// What was found out about numbers.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Summary {
    mean: f64,
    label: Option<String>,
}

#[step(cache_version = "1")]
fn load(count: u32) -> Vec<f64> {
    (0..count).map(f64::from).collect()
}

#[step]
fn split(numbers: &[f64]) -> Split {
    let (train, test) = numbers.split_at(numbers.len() * 3 / 4);
    Split { train: train.to_vec(), test: test.to_vec() }
}

#[step(retry(max = 1), resources(cpu = 1))]
fn summarize(numbers: Vec<f64>, label: Option<String>) -> Result<Summary> {
    if numbers.is_empty() {
        return Err("there are no numbers".into());
    }
    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
    if let Some(context) = StepContext::current() {
        context.add_metadata("mean", mean);
        context.log(&format!("{} has seen {} numbers", context.step_name(), numbers.len()));
    }
    Ok(Summary { mean, label })
}

#[step]
fn compare(train: &Summary, test: &Summary) -> f64 {
    (train.mean - test.mean).abs()
}

/// Is for pipelines in other languages: none here uses it.
#[step]
fn halve(number: f64) -> f64 {
    number / 2.0
}

#[pipeline]
fn numbers(#[default(8)] count: u32) {
    let all = load(count);
    let parts = split(&all);
    let train = summarize(&parts.train, "train");
    let test = summarize(&parts.test, None).id("summarize_test");
    compare(&train, &test).after(&all);
}

fn main() -> ExitCode {
    partita::main![numbers; halve]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_functions_still() {
        let summary = summarize::function(vec![1.0, 2.0], None).expect("numbers");
        assert_eq!(summary.mean, 1.5);
        assert!(summarize::function(vec![], None).is_err());
    }
}
