//! Wines: what was measured of each, and how good it is.

use std::collections::HashSet;

use linfa::Dataset;
use ndarray::{Array1, Array2, Ix1};
use serde::{Deserialize, Serialize};

/// A table as linfa takes it.
pub(crate) type Wines = Dataset<f64, usize, Ix1>;

/// Wines, a row each.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Table {
    /// What was measured.
    pub(crate) features: Vec<Vec<f64>>,
    /// The quality, from 3 to 8.
    pub(crate) quality: Vec<usize>,
}

impl Table {
    /// Returns the wines of a data set.
    pub(crate) fn of(wines: &Wines) -> Self {
        Self {
            features: wines.records.rows().into_iter().map(|row| row.to_vec()).collect(),
            quality: wines.targets.to_vec(),
        }
    }

    /// Returns the wines as a data set.
    pub(crate) fn wines(&self) -> Wines {
        let width = self.features.first().map_or(0, Vec::len);
        let at = |(row, column)| self.features.get(row).map_or(0.0, |row: &Vec<f64>| row[column]);
        let records = Array2::from_shape_fn((self.features.len(), width), at);
        Dataset::new(records, Array1::from(self.quality.clone()))
    }

    /// Returns each wine once.
    pub(crate) fn without_repetitions(self) -> Self {
        let mut seen = HashSet::new();
        let rows = self.features.into_iter().zip(self.quality);
        let key = |row: &[f64]| row.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let (features, quality) = rows.filter(|(row, _)| seen.insert(key(row))).unzip();
        Self { features, quality }
    }

    /// Returns two tables: the second has one of `every` wines, the first has all others.
    pub(crate) fn split(&self, every: usize) -> (Self, Self) {
        let part = |is_in: &dyn Fn(usize) -> bool| {
            let rows = self.features.iter().cloned().zip(self.quality.iter().copied());
            let chosen = rows.enumerate().filter(|(number, _)| is_in(*number));
            let (features, quality) = chosen.map(|(_, row)| row).unzip();
            Self { features, quality }
        };
        (part(&|number| number % every != 0), part(&|number| number % every == 0))
    }
}
