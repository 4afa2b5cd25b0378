//! Commits what a step returned; the first success wins.

use std::collections::BTreeMap;
use std::sync::Arc;

use partita_core::digest::Digest;
use partita_core::launcher::{Attempt, Unit};
use partita_core::run::{Failure, InputReference, StepResult, VERSION};
use partita_core::status::StepStatus;
use partita_core::time::Timestamp;

use super::artifacts::publish;
use super::inputs::{self, InputValue};
use super::{Committed, Known, Returned, RunContext, Stopped};
use crate::clock;
use crate::store::{Documents, Result, StoreError, encode, layout};

/// Publishes the outputs and commits the step.
///
/// If another attempt has committed first, these outputs are discarded and its result returned.
pub(super) fn commit(
    context: &RunContext,
    attempt: &Attempt,
    known: &Known,
    returned: Returned,
) -> Result<Committed> {
    let mut outputs = BTreeMap::new();
    for output in returned.outputs {
        outputs.insert(output.name.clone(), publish(context, attempt, output)?);
    }
    let key = context.key(attempt.unit(), &known.inputs);
    let result = Arc::new(StepResult {
        status: StepStatus::Completed,
        inputs: references(&known.inputs),
        outputs,
        cache_key: Some(key),
        metadata: known.metadata.clone(),
        ..blank(context, attempt, known.started_at)
    });
    let path = layout::commit(&context.run_id, attempt.unit(), &attempt.step().name);
    if !context.store.create(&path, encode(&*context.store, &path, &*result)?.into())? {
        return lost(context, attempt, &result);
    }
    // Also where caching is off: that says that no earlier result is taken, not that this is none.
    // The step is committed: that its result is not offered to later runs costs them a call.
    let _ = cache(context, &path, key);
    context.remember(attempt.unit(), Arc::clone(&result));
    Ok(result)
}

/// Makes a commit the answer for its key; a newer result replaces an older one.
fn cache(context: &RunContext, commit: &str, key: Digest) -> Result<()> {
    let path = layout::cache(&key);
    if !context.store.link(commit, &path)? {
        // Who looks in between finds no entry, and runs the step.
        context.store.delete(&path)?;
        context.store.link(commit, &path)?;
    }
    Ok(())
}

/// Takes over the commit that was first, and removes what this attempt made.
fn lost(context: &RunContext, attempt: &Attempt, mine: &StepResult) -> Result<Committed> {
    for version in mine.outputs.values().filter(|version| version.value.is_none()) {
        context.store.delete(&layout::artifact(version))?;
    }
    context.committed(attempt.unit())?.ok_or_else(|| StoreError::NotFound {
        path: layout::commit(&context.run_id, attempt.unit(), &attempt.step().name),
        uri: context.store.uri().to_owned(),
    })
}

/// Writes the result of an attempt that did not succeed.
pub(super) fn record(context: &RunContext, attempt: &Attempt, result: &StepResult) -> Result<()> {
    let path =
        layout::result(&context.run_id, attempt.unit(), &attempt.step().name, attempt.number);
    context.store.write(&path, encode(&*context.store, &path, result)?.into())
}

/// Returns the record of an attempt that has nothing to commit.
pub(super) fn unsuccessful(
    context: &RunContext,
    attempt: &Attempt,
    known: &Known,
    stopped: &Stopped,
) -> StepResult {
    let (status, error) = match stopped {
        Stopped::Failed(failure) => (StepStatus::Failed, Some(failure.clone())),
        Stopped::Cancelled => (StepStatus::Cancelled, None),
    };
    StepResult {
        status,
        error,
        inputs: references(&known.inputs),
        metadata: known.metadata.clone(),
        ..blank(context, attempt, known.started_at)
    }
}

/// Writes the commit of a step or an item whose outputs an earlier run made. Returns the commit that
/// stands.
pub(crate) fn commit_cached(
    context: &RunContext,
    unit: Unit,
    inputs: &BTreeMap<String, InputValue>,
    entry: &StepResult,
    reason: String,
) -> Result<Committed> {
    let now = clock::now();
    let name = &context.deployment.steps[unit.step].name;
    let result = Arc::new(StepResult {
        version: VERSION,
        run_id: context.run_id.to_string(),
        step: name.clone(),
        item: unit.item,
        attempt: 0,
        status: StepStatus::Cached,
        started_at: now,
        ended_at: now,
        inputs: references(inputs),
        outputs: entry.outputs.clone(),
        cache_key: entry.cache_key,
        cache_reason: Some(reason),
        cached_from: Some(entry.cached_from.clone().unwrap_or_else(|| entry.run_id.clone())),
        error: None,
        metadata: entry.metadata.clone(),
    });
    let path = layout::commit(&context.run_id, unit, name);
    if context.store.create(&path, encode(&*context.store, &path, &*result)?.into())? {
        context.remember(unit, Arc::clone(&result));
        return Ok(result);
    }
    context
        .committed(unit)?
        .ok_or_else(|| StoreError::NotFound { path, uri: context.store.uri().to_owned() })
}

/// Returns the record of a failed attempt, and writes one for an attempt that could not: its
/// process died, or its launcher found the failure. An attempt that took itself to be cancelled,
/// and that nobody here cancelled, was ended by somebody else: it failed.
pub(crate) fn record_lost(
    context: &RunContext,
    of: impl Into<Unit>,
    number: u32,
    failure: &Failure,
    started_at: Option<Timestamp>,
) -> StepResult {
    let unit = of.into();
    let name = &context.deployment.steps[unit.step].name;
    let written = Documents::new(&*context.store).result(&context.run_id, unit, name, number);
    let interrupted = match written {
        Ok(Some(result)) if result.status != StepStatus::Cancelled => return result,
        Ok(interrupted) => interrupted,
        Err(_) => None,
    };
    let known = interrupted.unwrap_or_else(|| nothing_known(context, unit, number, started_at));
    let result = StepResult { status: StepStatus::Failed, error: Some(failure.clone()), ..known };
    write(context, unit, &result);
    result
}

/// Writes the record of an attempt that was interrupted and could not say so.
pub(crate) fn record_interrupted(context: &RunContext, unit: Unit, number: u32) {
    let known = nothing_known(context, unit, number, None);
    write(context, unit, &StepResult { status: StepStatus::Cancelled, ..known });
}

fn write(context: &RunContext, unit: Unit, result: &StepResult) {
    let path = layout::result(&context.run_id, unit, &result.step, result.attempt);
    if let Ok(document) = encode(&*context.store, &path, result) {
        context.write_or_keep(path, document.into());
    }
}

/// Returns what is to be said of an attempt that nothing is known of but its number.
fn nothing_known(
    context: &RunContext,
    unit: Unit,
    number: u32,
    started_at: Option<Timestamp>,
) -> StepResult {
    let attempt = Attempt {
        deployment: Arc::clone(&context.deployment),
        run_id: Arc::clone(&context.run_id),
        step: unit.step,
        item: unit.item,
        number,
        cache_reason: None,
        is_last: false,
    };
    blank(context, &attempt, started_at.unwrap_or_else(clock::now))
}

fn blank(context: &RunContext, attempt: &Attempt, started_at: Timestamp) -> StepResult {
    StepResult {
        version: VERSION,
        run_id: context.run_id.to_string(),
        step: attempt.step().name.clone(),
        item: attempt.item,
        attempt: attempt.number,
        status: StepStatus::Failed,
        started_at,
        ended_at: clock::now(),
        inputs: BTreeMap::new(),
        outputs: BTreeMap::new(),
        cache_key: None,
        cache_reason: attempt.cache_reason.as_deref().map(str::to_owned),
        cached_from: None,
        error: None,
        metadata: BTreeMap::new(),
    }
}

/// Returns what a result says of the artifact versions it took.
pub(crate) fn references(
    inputs: &BTreeMap<String, InputValue>,
) -> BTreeMap<String, InputReference> {
    let mut references = BTreeMap::new();
    inputs::visit(inputs, &mut |name, version| {
        let reference = InputReference {
            artifact: version.artifact.clone(),
            id: version.id.clone(),
            digest: version.digest,
            code: version.code,
        };
        references.insert(name, reference);
    });
    references
}
