//! How far a run had come before this engine took it.

use std::collections::{HashMap, HashSet};

use partita_core::deployment::Deployment;
use partita_core::launcher::Unit;
use partita_core::run::EventKind;

use crate::schedule::BegunItem;
use crate::store::{Documents, LeftByStep, StoreError};

/// How far a run had come before this engine took it.
pub(super) struct Before {
    /// Whether each step was committed.
    pub(super) committed: Vec<bool>,
    /// The number of each step's next attempt.
    pub(super) first_attempts: Vec<u32>,
    /// The items that had begun.
    pub(super) items: HashMap<Unit, BegunItem>,
    /// The attempts that had begun and of whose end there is no record.
    pub(super) begun: HashMap<Unit, u32>,
}

impl Before {
    /// Returns what is before a run of `steps` steps that begins now.
    pub(super) fn nothing(steps: usize) -> Self {
        Self {
            committed: vec![false; steps],
            first_attempts: vec![1; steps],
            items: HashMap::new(),
            begun: HashMap::new(),
        }
    }

    /// Returns how far a run has come.
    ///
    /// # Errors
    /// If its documents cannot be read.
    pub(super) fn read(
        documents: &Documents<'_>,
        run_id: &str,
        deployment: &Deployment,
    ) -> Result<Self, StoreError> {
        let (started, skipped) = last_attempts(documents, run_id, deployment)?;
        let next = |unit: Unit, left: &LeftByStep| {
            let recorded = left.attempts.last().copied().unwrap_or(0);
            recorded.max(started.get(&unit).copied().unwrap_or(0)) + 1
        };
        // It is read now, so that a damaged one is told of before anything runs.
        let is_committed = |unit: Unit, left: &LeftByStep| {
            let name = &deployment.steps[unit.step].name;
            Ok::<_, StoreError>(left.committed && documents.commit(run_id, unit, name)?.is_some())
        };
        let mut left = documents.left_by_steps(run_id)?;
        let count = deployment.steps.len();
        let mut before = Self {
            committed: Vec::with_capacity(count),
            first_attempts: Vec::with_capacity(count),
            items: HashMap::new(),
            begun: HashMap::new(),
        };
        for index in 0..count {
            let left = left.remove(&index).unwrap_or_default();
            let committed = is_committed(index.into(), &left)?;
            before.committed.push(committed);
            before.first_attempts.push(next(index.into(), &left));
            for (item, left) in left.items.iter().filter(|_| !committed) {
                let unit = Unit::item(index, *item);
                let (first_attempt, committed) = (next(unit, left), is_committed(unit, left)?);
                before.items.insert(unit, BegunItem { first_attempt, committed });
            }
        }
        for (unit, number) in &started {
            let name = &deployment.steps[unit.step].name;
            let is_committed = match unit.item {
                None => before.committed[unit.step],
                Some(_) => before.items.get(unit).is_some_and(|item| item.committed),
            };
            // A step that was skipped all the same has no attempt that may still run.
            let may_run = !is_committed && !skipped.contains(&unit.step);
            if may_run && documents.result(run_id, *unit, name, *number)?.is_none() {
                before.begun.insert(*unit, *number);
            }
        }
        // An attempt that left nothing has its event, and its number.
        for (unit, number) in started.iter().filter(|(unit, _)| unit.item.is_some()) {
            let fresh = BegunItem { first_attempt: number + 1, committed: false };
            before.items.entry(*unit).or_insert(fresh);
        }
        Ok(before)
    }
}

/// Returns the last attempt that was started at each step and item, and which steps were skipped
/// since, by the run's events.
fn last_attempts(
    documents: &Documents<'_>,
    run_id: &str,
    deployment: &Deployment,
) -> Result<(HashMap<Unit, u32>, HashSet<usize>), StoreError> {
    let steps = deployment.steps.iter().enumerate();
    let indices: HashMap<&str, usize> =
        steps.map(|(index, step)| (step.name.as_str(), index)).collect();
    let (mut last, mut skipped) = (HashMap::new(), HashSet::new());
    for event in documents.events(run_id)? {
        match event.kind {
            EventKind::AttemptStarted { step, item, attempt } => {
                let Some(&step) = indices.get(step.as_str()) else { continue };
                let last = last.entry(Unit { step, item }).or_insert(0);
                *last = attempt.max(*last);
                skipped.remove(&step);
            }
            EventKind::StepSkipped { step, .. } => {
                skipped.extend(indices.get(step.as_str()).copied());
            }
            _ => {}
        }
    }
    Ok((last, skipped))
}
