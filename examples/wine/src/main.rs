//! How good is a wine? Two models are trained at once, and the better one is told of.
//!
//! Run it with `cargo run --package wine -- run`, or `partita run target/debug/wine`.

mod model;
mod plot;
mod table;

use partita::prelude::*;
use serde::{Deserialize, Serialize};

use model::Model;
use table::Table;

/// A table in two parts.
#[derive(Outputs)]
struct Split {
    train: Table,
    test: Table,
}

/// How well a model does on wines that it has not seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Score {
    model: String,
    accuracy: f64,
    /// The accuracy for each quality that occurs.
    by_quality: Vec<(usize, f64)>,
}

/// The red wines of the data set "Wine Quality" (Cortez et al., 2009).
#[step]
fn load() -> Table {
    Table::of(&linfa_datasets::winequality())
}

/// Leaves out wines that are there twice.
#[step]
fn clean(table: Table) -> Table {
    let cleaned = table.without_repetitions();
    if let Some(context) = StepContext::current() {
        context.add_metadata("wines", cleaned.quality.len());
    }
    cleaned
}

#[step]
fn split(table: &Table, every: usize) -> Result<Split> {
    if every < 2 {
        return Err(format!("every wine would be in the test: `every` is {every}").into());
    }
    let (train, test) = table.split(every);
    Ok(Split { train, test })
}

#[step(resources(cpu = 1))]
fn train_tree(train: &Table, depth: usize) -> Result<Model> {
    Ok(Model::tree(train, depth)?)
}

#[step(resources(cpu = 1))]
fn train_bayes(train: &Table) -> Result<Model> {
    Ok(Model::bayes(train)?)
}

#[step]
fn evaluate(model: &Model, test: &Table) -> Score {
    let score = model.score(test);
    println!("{} is right about {:.1} % of the wines", score.model, 100.0 * score.accuracy);
    score
}

#[step]
fn choose(tree: Score, bayes: Score) -> Score {
    if tree.accuracy >= bayes.accuracy { tree } else { bayes }
}

/// Draws both as an SVG image.
#[step]
fn draw(tree: Score, bayes: Score) -> Result<String> {
    plot::bars(&[tree, bayes])
}

#[pipeline]
fn wine(#[default(8)] depth: usize, #[default(4)] every: usize) {
    let parts = split(clean(load()), every);
    let tree = evaluate(train_tree(&parts.train, depth), &parts.test).id("evaluate_tree");
    let bayes = evaluate(train_bayes(&parts.train), &parts.test).id("evaluate_bayes");
    choose(&tree, &bayes);
    draw(&tree, &bayes);
}

fn main() -> ExitCode {
    partita::main![wine]
}
