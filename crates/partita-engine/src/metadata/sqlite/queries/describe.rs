//! Makes the view of one run.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use indexmap::IndexMap;
use partita_core::literal::Literal;
use partita_core::run::Failure;
use partita_core::status::{RunStatus, StepStatus};
use partita_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::Place;
use super::artifacts::output_view;
use crate::metadata::sqlite::Attempted;
use crate::metadata::sqlite::record::{Record, column, optional, position, time, word};
use crate::metadata::views::{
    AttemptStatus, AttemptView, InputView, RunSummary, RunView, StepView, duration,
};
use crate::store::layout;

/// The names of a deployment's steps with their upstream steps by position.
type Shape = Vec<(String, Vec<usize>)>;

/// What a row of a step says.
struct StepRow {
    status: StepStatus,
    ended_at: Option<Timestamp>,
    reason: Option<String>,
    record: Option<Record<'static>>,
}

/// Returns a run with its steps.
pub(in crate::metadata::sqlite) fn run(
    connection: &Connection,
    run_id: &str,
) -> Attempted<Option<RunView>> {
    let mut found = super::summaries(connection, "id = ?", [run_id])?;
    let Some(summary) = found.pop() else { return Ok(None) };
    let (key, header) = connection
        .prepare_cached("SELECT key, header FROM runs WHERE id = ?")?
        .query_row([run_id], |row| Ok((row.get(0)?, column(row, 1)?)))?;
    let steps = steps(connection, key, &summary)?;
    Ok(Some(RunView {
        metadata: metadata(connection, key)?,
        steps,
        header: Some(header),
        id: summary.id,
        name: summary.name,
        pipeline: summary.pipeline,
        status: summary.status,
        stack: summary.stack,
        orchestrator: summary.orchestrator,
        orchestrator_run_id: summary.orchestrator_run_id,
        deployment_id: summary.deployment_id,
        started_at: summary.started_at,
        ended_at: summary.ended_at,
        duration_s: summary.duration_s,
        error: summary.error,
        store: summary.store,
        // These are not in the index.
        resumed_at: Vec::new(),
        hook_failures: Vec::new(),
        parameters: None,
    }))
}

fn steps(
    connection: &Connection,
    key: i64,
    run: &RunSummary,
) -> Attempted<IndexMap<String, StepView>> {
    let place = Place { store: &run.store, run_id: &run.id };
    let shape: Shape = connection
        .prepare_cached("SELECT shape FROM deployments WHERE id = ?")?
        .query_row([&run.deployment_id], |row| column(row, 0))
        .optional()?
        .unwrap_or_default();
    let mut rows = step_rows(connection, key)?;
    let mut attempts = attempts(connection, key, &place, &shape)?;
    let places = places(&place, &shape, &rows);
    let mut steps = IndexMap::with_capacity(shape.len());
    for (index, (name, upstream)) in shape.iter().enumerate() {
        let upstream = upstream.iter().filter_map(|at| Some(shape.get(*at)?.0.clone())).collect();
        let row = rows.remove(&index);
        let mut step = step(row, attempts.remove(&index).unwrap_or_default(), run.status);
        step.view.upstream = upstream;
        if let Some(record) = step.record {
            fill(connection, &mut step.view, (index, name), record, &place, &places)?;
        }
        steps.insert(name.clone(), step.view);
    }
    Ok(steps)
}

fn step_rows(connection: &Connection, key: i64) -> Attempted<HashMap<usize, StepRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT step, status, ended_at, reason, record FROM step_runs WHERE run = ?",
    )?;
    let rows = statement.query_map([key], |row| {
        let step = StepRow {
            status: word(row, 1)?,
            ended_at: time(row, 2)?,
            reason: row.get(3)?,
            record: optional(row, 4)?,
        };
        Ok((position(row, 0)?, step))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn attempts(
    connection: &Connection,
    key: i64,
    place: &Place<'_>,
    shape: &Shape,
) -> Attempted<HashMap<usize, Vec<AttemptView>>> {
    let mut statement = connection.prepare_cached(
        "SELECT step, number, status, started_at, ended_at, error FROM attempts WHERE run = ?
         ORDER BY step, number",
    )?;
    let mut rows = statement.query([key])?;
    let mut attempts: HashMap<usize, Vec<AttemptView>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let (step, number): (usize, u32) = (position(row, 0)?, row.get(1)?);
        let failure: Option<Failure> = optional(row, 5)?;
        let name = shape.get(step).map_or("", |(name, _)| name);
        attempts.entry(step).or_default().push(AttemptView {
            number,
            status: word(row, 2)?,
            started_at: Timestamp(row.get(3)?),
            ended_at: time(row, 4)?,
            exit_code: failure.as_ref().and_then(|failure| failure.exit_code),
            error: failure.as_ref().map(said),
            log: place.uri(&layout::log(place.run_id, step, name, number)),
            failure,
        });
    }
    Ok(attempts)
}

/// Returns a failure in one paragraph.
fn said(failure: &Failure) -> String {
    if failure.kind == "partita" {
        return failure.message.clone();
    }
    format!("{}: {}", failure.kind, failure.message)
}

/// Returns where each version is that a step of this run made or took from the cache.
fn places(
    place: &Place<'_>,
    shape: &Shape,
    rows: &HashMap<usize, StepRow>,
) -> HashMap<String, String> {
    let mut places = HashMap::new();
    for (index, row) in rows {
        let Some((name, _)) = shape.get(*index) else { continue };
        for (output, version) in row.record.iter().flat_map(|record| &record.outputs) {
            let uri = place.version_uri((*index, name), output, version);
            places.insert(version.id.clone().into_owned(), uri);
        }
    }
    places
}

/// A step of which the artifact versions are not filled in yet.
struct Begun {
    view: StepView,
    record: Option<Record<'static>>,
}

fn step(row: Option<StepRow>, attempts: Vec<AttemptView>, run: RunStatus) -> Begun {
    let row = row.unwrap_or(StepRow {
        status: StepStatus::Waiting,
        ended_at: None,
        reason: None,
        record: None,
    });
    let status = match (row.status, run) {
        (StepStatus::Waiting, RunStatus::Cancelled) => StepStatus::Cancelled,
        (StepStatus::Waiting, RunStatus::Failed | RunStatus::Completed) => StepStatus::Skipped,
        (status, _) => status,
    };
    let taken_at = row.record.as_ref().map(|record| Timestamp(record.started_at));
    let started_at = attempts.iter().map(|attempt| attempt.started_at).min().or(taken_at);
    let ended_at = row.ended_at.filter(|_| status.is_ended());
    let view = StepView {
        status,
        cached: status == StepStatus::Cached,
        cache_reason: None,
        upstream: Vec::new(),
        started_at,
        ended_at,
        duration_s: ended_at.and_then(|_| worked(&attempts).or(duration(started_at, ended_at))),
        reason: row.reason.or_else(|| interruption(status, &attempts)),
        attempts,
        inputs: BTreeMap::new(),
        outputs: BTreeMap::new(),
        metadata: BTreeMap::new(),
    };
    Begun { view, record: row.record }
}

/// Returns the seconds that attempts took together; `None` without any.
fn worked(attempts: &[AttemptView]) -> Option<f64> {
    let took = |attempt: &AttemptView| duration(Some(attempt.started_at), attempt.ended_at);
    let known: Vec<f64> = attempts.iter().filter_map(took).collect();
    if known.is_empty() { None } else { Some(known.iter().sum()) }
}

/// Returns why a step waits although an attempt of it began.
fn interruption(status: StepStatus, attempts: &[AttemptView]) -> Option<String> {
    let last = attempts.last().filter(|last| last.status == AttemptStatus::Interrupted)?;
    (status == StepStatus::Waiting).then(|| format!("attempt {} was interrupted", last.number))
}

fn fill(
    connection: &Connection,
    view: &mut StepView,
    step: (usize, &str),
    record: Record<'static>,
    place: &Place<'_>,
    places: &HashMap<String, String>,
) -> Attempted<()> {
    view.cache_reason = record.cache_reason.map(Cow::into_owned);
    view.metadata = record.metadata.into_owned();
    for (name, reference) in record.inputs.into_owned() {
        let uri = match places.get(&reference.id) {
            Some(uri) => uri.clone(),
            None => foreign_uri(connection, place, &reference.artifact, &reference.id)?,
        };
        view.inputs.insert(name, InputView { artifact_version: reference.id, uri });
    }
    if view.status.is_successful() {
        for (output, version) in record.outputs {
            let uri = place.version_uri(step, &output, &version);
            view.outputs.insert(output.into_owned(), output_view(version, uri));
        }
    }
    Ok(())
}

/// Returns where a version is that no step of this run made.
fn foreign_uri(
    connection: &Connection,
    place: &Place<'_>,
    artifact: &str,
    id: &str,
) -> Attempted<String> {
    let found = super::artifacts::by_id(connection, id)?;
    Ok(found
        .map_or_else(|| place.uri(&layout::artifact_folder(artifact, id)), |view| view.version.uri))
}

fn metadata(connection: &Connection, key: i64) -> Attempted<BTreeMap<String, Literal>> {
    let mut statement =
        connection.prepare_cached("SELECT key, value FROM run_metadata WHERE run = ?")?;
    let rows = statement.query_map(params![key], |row| Ok((row.get(0)?, column(row, 1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
