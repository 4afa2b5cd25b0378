//! Which step waits for which, as arrays of step numbers.

use std::collections::HashMap;

use partita_core::deployment::{Deployment, Step};

/// A graph that cannot be scheduled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGraph {
    /// A step waits for one that is not there.
    #[error(
        "the step `{step}` waits for `{upstream}`, which is no step of the deployment; compile the \
         pipeline again"
    )]
    UnknownUpstream {
        /// The step that waits.
        step: String,
        /// What it waits for.
        upstream: String,
    },
    /// A step waits for one that does not come before it.
    #[error(
        "the step `{step}` waits for `{upstream}`, which does not come before it; a deployment \
         lists its steps in topological order, so compile the pipeline again"
    )]
    OutOfOrder {
        /// The step that waits.
        step: String,
        /// What it waits for.
        upstream: String,
    },
    /// There are more steps or edges than numbers for them.
    #[error("the deployment has more than 4,294,967,295 steps or edges; split the pipeline")]
    TooLarge,
}

/// The edges of a run in compressed sparse rows: the downstream steps of each step, in order.
///
/// Every edge leads from a lower to a higher number, so there are no cycles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// Where the downstream steps of each step begin; one more at the end.
    starts: Vec<u32>,
    /// The downstream steps of all steps, one after another.
    downstream: Vec<u32>,
    /// How many steps each step waits for.
    upstream_counts: Vec<u32>,
}

impl Graph {
    /// Returns the graph of a deployment: declared upstream steps and steps whose outputs are taken.
    ///
    /// # Errors
    /// If a step waits for one that does not exist or does not come before it.
    pub fn of(deployment: &Deployment) -> Result<Self, InvalidGraph> {
        let steps = &deployment.steps;
        let numbers: HashMap<&str, usize> =
            steps.iter().enumerate().map(|(number, step)| (step.name.as_str(), number)).collect();
        let mut rows = Rows::default();
        for (number, step) in steps.iter().enumerate() {
            for upstream in upstream_names(step) {
                let found = numbers.get(upstream).copied();
                rows.edge(found.ok_or_else(|| InvalidGraph::UnknownUpstream {
                    step: step.name.clone(),
                    upstream: upstream.to_owned(),
                })?);
            }
            rows.end().map_err(|upstream| match upstream {
                Some(upstream) => InvalidGraph::OutOfOrder {
                    step: step.name.clone(),
                    upstream: steps[upstream].name.clone(),
                },
                None => InvalidGraph::TooLarge,
            })?;
            debug_assert_eq!(rows.upstream_counts.len(), number + 1);
        }
        Ok(rows.into_graph())
    }

    /// Returns the graph in which the step with number `i` waits for the steps of the `i`th row.
    ///
    /// # Errors
    /// If a step waits for one that does not come before it; the steps are named by number.
    pub fn from_upstream<R>(upstream: impl IntoIterator<Item = R>) -> Result<Self, InvalidGraph>
    where
        R: IntoIterator<Item = usize>,
    {
        let mut rows = Rows::default();
        for (number, row) in upstream.into_iter().enumerate() {
            row.into_iter().for_each(|step| rows.edge(step));
            rows.end().map_err(|upstream| match upstream {
                Some(upstream) => InvalidGraph::OutOfOrder {
                    step: number.to_string(),
                    upstream: upstream.to_string(),
                },
                None => InvalidGraph::TooLarge,
            })?;
        }
        Ok(rows.into_graph())
    }

    /// Returns how many steps there are.
    pub fn len(&self) -> usize {
        self.upstream_counts.len()
    }

    /// Returns whether there is no step.
    pub fn is_empty(&self) -> bool {
        self.upstream_counts.is_empty()
    }

    /// Returns how many steps a step waits for.
    pub fn upstream_count(&self, step: usize) -> u32 {
        self.upstream_counts[step]
    }

    /// Returns the numbers of the steps that wait for a step, in order.
    pub fn downstream(&self, step: usize) -> &[u32] {
        &self.downstream[self.starts[step] as usize..self.starts[step + 1] as usize]
    }
}

fn upstream_names(step: &Step) -> Vec<&str> {
    let mut names: Vec<&str> = step.upstream_steps.iter().map(String::as_str).collect();
    for input in step.inputs.values() {
        input.visit_outputs(&mut |reference| names.push(&reference.step));
    }
    names
}

/// Upstream edges as they are read, step by step.
#[derive(Default)]
struct Rows {
    upstream: Vec<u32>,
    upstream_counts: Vec<u32>,
    row: Vec<usize>,
}

impl Rows {
    fn edge(&mut self, upstream: usize) {
        self.row.push(upstream);
    }

    /// Ends the row of a step; the error is the step it may not wait for, or `None` for too many.
    fn end(&mut self) -> Result<(), Option<usize>> {
        let number = u32::try_from(self.upstream_counts.len()).map_err(|_| None)?;
        self.row.sort_unstable();
        self.row.dedup();
        for &upstream in &self.row {
            match u32::try_from(upstream) {
                Ok(small) if small < number => self.upstream.push(small),
                _ => return Err(Some(upstream)),
            }
        }
        self.upstream_counts.push(u32::try_from(self.row.len()).map_err(|_| None)?);
        self.row.clear();
        u32::try_from(self.upstream.len()).map(|_| ()).map_err(|_| None)
    }

    fn into_graph(self) -> Graph {
        let mut starts = vec![0; self.upstream_counts.len() + 1];
        for &upstream in &self.upstream {
            starts[upstream as usize + 1] += 1;
        }
        for step in 1..starts.len() {
            starts[step] += starts[step - 1];
        }
        let mut next = starts.clone();
        let mut downstream = vec![0; self.upstream.len()];
        let mut edges = self.upstream.into_iter();
        for (step, &count) in (0..).zip(&self.upstream_counts) {
            for upstream in edges.by_ref().take(count as usize) {
                let place = &mut next[upstream as usize];
                downstream[*place as usize] = step;
                *place += 1;
            }
        }
        Graph { starts, downstream, upstream_counts: self.upstream_counts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(upstream: &[&[usize]], expected: Result<&[&[u32]], &str>) {
        let rows = upstream.iter().map(|row| row.iter().copied());
        match (Graph::from_upstream(rows), expected) {
            (Ok(graph), Ok(expected)) => {
                let downstream: Vec<_> = (0..graph.len()).map(|s| graph.downstream(s)).collect();
                assert_eq!(downstream, expected);
            }
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn downstream_steps_are_in_order_and_named_once() {
        check(&[], Ok(&[]));
        check(&[&[]], Ok(&[&[]]));
        check(&[&[], &[0], &[0, 0], &[2, 1, 0]], Ok(&[&[1, 2, 3], &[3], &[3], &[]]));
    }

    #[test]
    fn a_step_waits_for_earlier_steps_only() {
        check(&[&[0]], Err("`0` waits for `0`, which does not come before it"));
        check(&[&[], &[2], &[]], Err("`1` waits for `2`, which does not come before it"));
    }
}
