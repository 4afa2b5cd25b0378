//! Models: how the quality of a wine is guessed.

use std::collections::BTreeMap;

use linfa::error::Error;
use linfa::traits::{Fit, Predict};
use linfa_bayes::{GaussianNb, NaiveBayesError};
use linfa_trees::DecisionTree;
use serde::{Deserialize, Serialize};

use crate::Score;
use crate::table::Table;

/// A trained model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Model {
    /// A decision tree.
    Tree(DecisionTree<f64, usize>),
    /// A naive Bayes classifier.
    Bayes(GaussianNb<f64, usize>),
}

impl Model {
    /// Trains a decision tree of at most this depth.
    ///
    /// # Errors
    /// If there is nothing to train it with.
    pub(crate) fn tree(train: &Table, depth: usize) -> Result<Self, Error> {
        DecisionTree::params().max_depth(Some(depth)).fit(&train.wines()).map(Self::Tree)
    }

    /// Trains a naive Bayes classifier.
    ///
    /// # Errors
    /// If there is nothing to train it with.
    pub(crate) fn bayes(train: &Table) -> Result<Self, NaiveBayesError> {
        GaussianNb::params().fit(&train.wines()).map(Self::Bayes)
    }

    /// Returns how well it guesses.
    pub(crate) fn score(&self, test: &Table) -> Score {
        let wines = test.wines();
        let (model, guesses) = match self {
            Self::Tree(tree) => ("decision tree", tree.predict(&wines)),
            Self::Bayes(bayes) => ("naive Bayes", bayes.predict(&wines)),
        };
        let mut counts: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
        for (guess, quality) in guesses.iter().zip(&test.quality) {
            let (right, all) = counts.entry(*quality).or_default();
            *all += 1.0;
            *right += f64::from(u8::from(guess == quality));
        }
        let right: f64 = counts.values().map(|(right, _)| right).sum();
        Score {
            model: model.to_owned(),
            accuracy: right / test.quality.len().max(1) as f64,
            by_quality: counts
                .iter()
                .map(|(quality, (right, all))| (*quality, right / all))
                .collect(),
        }
    }
}
