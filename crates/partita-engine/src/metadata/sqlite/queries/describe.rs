//! Makes the view of one run.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use indexmap::IndexMap;
use partita_core::launcher::Unit;
use partita_core::literal::Literal;
use partita_core::run::Failure;
use partita_core::run::RunHeader;
use partita_core::status::{RunStatus, StepStatus};
use partita_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::Place;
use super::artifacts::output_view;
use crate::metadata::sqlite::Attempted;
use crate::metadata::sqlite::record::{Record, column, item, optional, position, time, word};
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
    /// How many items it has, if it is mapped and that is known.
    items: Option<u32>,
}

/// The rows of a run's steps and of their items.
type StepRows = HashMap<Unit, StepRow>;

/// The attempts of a run, in order.
type Attempts = HashMap<Unit, Vec<AttemptView>>;

/// Returns a run with its steps.
pub(in crate::metadata::sqlite) fn run(
    connection: &Connection,
    run_id: &str,
) -> Attempted<Option<RunView>> {
    let mut found = super::summaries(connection, "id = ?", [run_id])?;
    let Some(summary) = found.pop() else { return Ok(None) };
    let (key, header): (i64, RunHeader) = connection
        .prepare_cached("SELECT key, header FROM runs WHERE id = ?")?
        .query_row([run_id], |row| Ok((row.get(0)?, column(row, 1)?)))?;
    let steps = steps(connection, key, &summary)?;
    Ok(Some(RunView {
        metadata: metadata(connection, key)?,
        steps,
        resumed_from: header.resumed_from.clone(),
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
    let rows = step_rows(connection, key)?;
    let attempts = attempts(connection, key, &place, &shape)?;
    let places = places(&place, &shape, &rows);
    let mut known = Known { connection, place, places, rows, attempts, run: run.status };
    let mut steps = IndexMap::with_capacity(shape.len());
    for (index, (name, upstream)) in shape.iter().enumerate() {
        let upstream: Vec<String> =
            upstream.iter().filter_map(|at| Some(shape.get(*at)?.0.clone())).collect();
        let items = known.rows.get(&Unit::from(index)).and_then(|row| row.items);
        let mut view = known.view(Unit::from(index), name, &upstream)?;
        if let Some(count) = items {
            let item = |item| known.view(Unit::item(index, item), name, &upstream);
            let items = (0..count).map(item).collect::<Attempted<Vec<_>>>()?;
            view.add_items(items);
        }
        steps.insert(name.clone(), view);
    }
    Ok(steps)
}

/// What a run's rows say, while views are made of them.
struct Known<'a> {
    connection: &'a Connection,
    place: Place<'a>,
    places: HashMap<String, String>,
    rows: StepRows,
    attempts: Attempts,
    run: RunStatus,
}

impl Known<'_> {
    /// Takes the view of a step or an item, the step's name being `name`.
    fn view(&mut self, unit: Unit, name: &str, upstream: &[String]) -> Attempted<StepView> {
        let attempts = self.attempts.remove(&unit).unwrap_or_default();
        let mut step = step(self.rows.remove(&unit), attempts, self.run);
        step.view.upstream = upstream.to_vec();
        if let Some(record) = step.record {
            self.fill(&mut step.view, unit, name, record)?;
        }
        Ok(step.view)
    }

    fn fill(
        &self,
        view: &mut StepView,
        unit: Unit,
        name: &str,
        record: Record<'static>,
    ) -> Attempted<()> {
        view.cache_reason = record.cache_reason.map(Cow::into_owned);
        view.metadata = record.metadata.into_owned();
        for (input, reference) in record.inputs.into_owned() {
            let uri = match self.places.get(&reference.id) {
                Some(uri) => uri.clone(),
                None => {
                    let (artifact, id) = (&reference.artifact, &reference.id);
                    foreign_uri(self.connection, &self.place, artifact, id)?
                }
            };
            view.inputs.insert(input, InputView { artifact_version: reference.id, uri });
        }
        if view.status.is_successful() {
            for (output, version) in record.outputs {
                let uri = self.place.version_uri(unit, name, &output, &version);
                view.outputs.insert(output.into_owned(), output_view(version, uri));
            }
        }
        Ok(())
    }
}

fn step_rows(connection: &Connection, key: i64) -> Attempted<StepRows> {
    let mut statement = connection.prepare_cached(
        "SELECT step, status, ended_at, reason, record, items, item FROM step_runs WHERE run = ?",
    )?;
    let rows = statement.query_map([key], |row| {
        let step = StepRow {
            status: word(row, 1)?,
            ended_at: time(row, 2)?,
            reason: row.get(3)?,
            record: optional(row, 4)?,
            items: row.get(5)?,
        };
        Ok((Unit { step: position(row, 0)?, item: item(row, 6)? }, step))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn attempts(
    connection: &Connection,
    key: i64,
    place: &Place<'_>,
    shape: &Shape,
) -> Attempted<Attempts> {
    let mut statement = connection.prepare_cached(
        "SELECT step, number, status, started_at, ended_at, error, item FROM attempts
         WHERE run = ? ORDER BY step, item, number",
    )?;
    let mut rows = statement.query([key])?;
    let mut attempts = Attempts::new();
    while let Some(row) = rows.next()? {
        let (step, number): (usize, u32) = (position(row, 0)?, row.get(1)?);
        let unit = Unit { step, item: item(row, 6)? };
        let failure: Option<Failure> = optional(row, 5)?;
        let name = shape.get(step).map_or("", |(name, _)| name);
        attempts.entry(unit).or_default().push(AttemptView {
            number,
            status: word(row, 2)?,
            started_at: Timestamp(row.get(3)?),
            ended_at: time(row, 4)?,
            exit_code: failure.as_ref().and_then(|failure| failure.exit_code),
            error: failure.as_ref().map(said),
            log: place.uri(&layout::log(place.run_id, unit, name, number)),
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
fn places(place: &Place<'_>, shape: &Shape, rows: &StepRows) -> HashMap<String, String> {
    let mut places = HashMap::new();
    for (unit, row) in rows {
        let Some((name, _)) = shape.get(unit.step) else { continue };
        for (output, version) in row.record.iter().flat_map(|record| &record.outputs) {
            let uri = place.version_uri(*unit, name, output, version);
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
        items: None,
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
        items: None,
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
