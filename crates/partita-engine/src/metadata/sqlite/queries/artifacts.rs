//! Makes the views of artifact versions and of the steps between them.

use std::collections::{BTreeMap, HashSet};

use partita_core::launcher::Unit;
use partita_core::status::StepStatus;
use partita_core::time::Timestamp;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::Place;
use crate::metadata::sqlite::Attempted;
use crate::metadata::sqlite::record::{Record, Version, column, item, position, word};
use crate::metadata::views::{ArtifactView, LineageStep, OutputView};
use crate::metadata::{Direction, VersionFilter};

const VERSIONS: &str =
    "SELECT o.version, o.output, o.step, r.id, r.name, r.pipeline, r.store, s.record, s.step,
    s.ended_at, s.item FROM outputs o JOIN runs r ON r.key = o.run
    JOIN step_runs s ON s.run = o.run AND s.name = o.step AND s.item = o.item";

/// Puts the latest first, and the step that made a version before those that took it over.
const LATEST: &str =
    "ORDER BY o.version DESC, o.made DESC, r.started_at, r.id, s.step, s.item, o.output";

pub(super) fn output_view(version: Version<'_>, uri: String) -> OutputView {
    OutputView {
        artifact: version.artifact.into_owned(),
        artifact_version: version.id.into_owned(),
        uri,
        type_name: version.type_name.into_owned(),
        materializer: version.format.into_owned(),
        digest: version.digest,
        size: version.size,
    }
}

/// Returns artifact versions, latest first, each once.
pub(in crate::metadata::sqlite) fn versions(
    connection: &Connection,
    filter: &VersionFilter,
) -> Attempted<Vec<ArtifactView>> {
    let mut conditions = vec!["1"];
    let mut values = Vec::new();
    for (condition, value) in [
        ("o.artifact = ?", &filter.artifact),
        ("o.run = (SELECT key FROM runs WHERE id = ?)", &filter.run_id),
        ("o.version >= ?", &filter.id_prefix),
        ("o.version < ? || char(0x10ffff)", &filter.id_prefix),
    ] {
        if let Some(value) = value {
            conditions.push(condition);
            values.push(value.as_str());
        }
    }
    let query = format!("{VERSIONS} WHERE {} {LATEST}", conditions.join(" AND "));
    let mut statement = connection.prepare_cached(&query)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut views: Vec<ArtifactView> = Vec::new();
    while views.len() < filter.limit.unwrap_or(usize::MAX) {
        let Some(row) = rows.next()? else { break };
        let id = row.get_ref(0)?.as_str().unwrap_or_default();
        if views.last().is_none_or(|last| last.version.artifact_version != id) {
            views.extend(view(row)?);
        }
    }
    Ok(views)
}

/// Returns the artifact version with this id.
pub(super) fn by_id(connection: &Connection, id: &str) -> Attempted<Option<ArtifactView>> {
    let mut statement =
        connection.prepare_cached(&format!("{VERSIONS} WHERE o.version = ? {LATEST} LIMIT 1"))?;
    let mut rows = statement.query([id])?;
    match rows.next()? {
        Some(row) => Ok(view(row)?),
        None => Ok(None),
    }
}

fn view(row: &Row<'_>) -> rusqlite::Result<Option<ArtifactView>> {
    let (output, step, run_id): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
    let store: String = row.get(6)?;
    let record: Record<'static> = column(row, 7)?;
    let Some((_, version)) = record.outputs.into_iter().find(|(name, _)| *name == output) else {
        return Ok(None);
    };
    let place = Place { store: &store, run_id: &run_id };
    let unit = Unit { step: position(row, 8)?, item: item(row, 10)? };
    let uri = place.version_uri(unit, &step, &output, &version);
    Ok(Some(ArtifactView {
        version: output_view(version, uri),
        run: row.get(4)?,
        pipeline: row.get(5)?,
        created_at: Timestamp(row.get(9)?),
        run_id,
        step,
        item: unit.item,
        output,
    }))
}

/// Returns the committed steps next to an artifact version, oldest first.
///
/// A step that was taken from the cache is left out where the step that it was taken from, or an
/// earlier one taken from the same, is there: it is the same use of the same version.
pub(in crate::metadata::sqlite) fn neighbours(
    connection: &Connection,
    version: &str,
    direction: Direction,
) -> Attempted<Vec<LineageStep>> {
    let table = match direction {
        Direction::Upstream => "outputs",
        Direction::Downstream => "inputs",
    };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT DISTINCT s.run, r.id, r.name, s.name, s.status, s.record,
             r.started_at, s.step, s.item FROM {table} l JOIN runs r ON r.key = l.run
         JOIN step_runs s ON s.run = l.run AND s.name = l.step AND s.item = l.item
         WHERE l.version = ? ORDER BY s.status = 'cached', r.started_at, r.id, s.step, s.item"
    ))?;
    let mut rows = statement.query([version])?;
    let (mut steps, mut origins) = (Vec::new(), HashSet::new());
    while let Some(row) = rows.next()? {
        let step = lineage_step(row)?;
        let record: Record<'static> = column(row, 5)?;
        let origin = match record.cached_from {
            Some(origin) if step.status == StepStatus::Cached => origin.into_owned(),
            _ => step.run_id.clone(),
        };
        let results: Vec<String> = step.outputs.values().cloned().collect();
        let is_sink = results.is_empty();
        let sink = || (origin.clone(), step.step.clone(), step.item);
        let identity = (is_sink.then(sink), results);
        let is_repeated =
            step.status == StepStatus::Cached && is_sink && is_there(connection, &origin)?;
        if origins.insert(identity) && !is_repeated {
            steps.push(step);
        }
        if direction == Direction::Upstream {
            break;
        }
    }
    Ok(steps)
}

fn is_there(connection: &Connection, run_id: &str) -> Attempted<bool> {
    Ok(connection.prepare_cached("SELECT 1 FROM runs WHERE id = ?")?.exists(params![run_id])?)
}

fn lineage_step(row: &Row<'_>) -> rusqlite::Result<LineageStep> {
    let record: Record<'static> = column(row, 5)?;
    let inputs =
        record.inputs.into_owned().into_iter().map(|(name, reference)| (name, reference.id));
    let outputs = record
        .outputs
        .into_iter()
        .map(|(name, version)| (name.into_owned(), version.id.into_owned()));
    Ok(LineageStep {
        run_id: row.get(1)?,
        run: row.get(2)?,
        step: row.get(3)?,
        item: item(row, 8)?,
        status: word(row, 4)?,
        inputs: inputs.collect(),
        outputs: outputs.collect::<BTreeMap<_, _>>(),
    })
}
