//! Makes views of rows.

mod artifacts;
mod describe;

use partita_core::launcher::Unit;
use partita_core::run::RunHeader;
use rusqlite::{Connection, Params, Row, params};

use super::Attempted;
use super::record::{column, time, word};
use crate::metadata::RunFilter;
use crate::metadata::views::{RunSummary, duration};
use crate::store::layout;

pub(super) use artifacts::{neighbours, versions};
pub(super) use describe::run;

/// Runs that an ambiguous reference is explained with, at most.
const CANDIDATES: u32 = 8;

/// Returns runs, latest first.
pub(super) fn runs(connection: &Connection, filter: &RunFilter) -> Attempted<Vec<RunSummary>> {
    // A condition that was not given leaves no trace, so that an index serves each of the rest.
    let mut conditions = vec!["1"];
    let mut values = Vec::new();
    let status = filter.status.map(|status| status.as_str().to_owned());
    for (condition, value) in [
        ("pipeline = ?", filter.pipeline.clone()),
        ("status = ?", status),
        ("name = ?", filter.name.clone()),
        ("store = ?", filter.store.clone()),
    ] {
        if let Some(value) = value {
            conditions.push(condition);
            values.push(value);
        }
    }
    let limit = filter.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let condition =
        format!("{} ORDER BY started_at DESC, id DESC LIMIT {limit}", conditions.join(" AND "));
    summaries(connection, &condition, rusqlite::params_from_iter(values))
}

/// Returns the runs of a condition with an order.
pub(super) fn summaries(
    connection: &Connection,
    condition: &str,
    values: impl Params,
) -> Attempted<Vec<RunSummary>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT header, status, store, ended_at, error FROM runs WHERE {condition}"
    ))?;
    let rows = statement.query_map(values, summary)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn summary(row: &Row<'_>) -> rusqlite::Result<RunSummary> {
    let header: RunHeader = column(row, 0)?;
    let ended_at = time(row, 3)?;
    Ok(RunSummary {
        id: header.id,
        name: header.name,
        pipeline: header.pipeline,
        status: word(row, 1)?,
        stack: header.stack,
        orchestrator: header.orchestrator,
        orchestrator_run_id: header.orchestrator_run_id,
        deployment_id: header.deployment_id,
        started_at: header.started_at,
        ended_at,
        duration_s: duration(Some(header.started_at), ended_at),
        error: row.get(4)?,
        store: row.get(2)?,
    })
}

/// Returns the runs with that name or id, else those whose id begins so.
pub(super) fn matching(connection: &Connection, reference: &str) -> Attempted<Vec<RunSummary>> {
    let exact = "(id = ?1 OR name = ?1) ORDER BY id = ?1 DESC, started_at DESC, id DESC";
    let found = summaries(connection, exact, [reference])?;
    if let [first, ..] = found.as_slice()
        && first.id == reference
    {
        return Ok(vec![first.clone()]);
    }
    if !found.is_empty() || reference.is_empty() {
        return Ok(found);
    }
    let beginning =
        "id >= ?1 AND id < ?1 || char(0x10ffff) ORDER BY started_at DESC, id DESC LIMIT ?2";
    summaries(connection, beginning, params![reference, CANDIDATES])
}

/// Where the documents of one run are.
struct Place<'a> {
    store: &'a str,
    run_id: &'a str,
}

impl Place<'_> {
    fn uri(&self, path: &str) -> String {
        format!("{}/{path}", self.store.trim_end_matches('/'))
    }

    /// Returns the URI of an output's version: the place in the commit for an inlined value and for a
    /// list of versions.
    fn version_uri(
        &self,
        unit: Unit,
        step: &str,
        output: &str,
        version: &super::record::Version<'_>,
    ) -> String {
        if version.inlined || version.listed {
            let what = if version.inlined { "value" } else { "items" };
            let commit = self.uri(&layout::commit(self.run_id, unit, step));
            return format!(
                "{commit}#/outputs/{}/{what}",
                output.replace('~', "~0").replace('/', "~1")
            );
        }
        self.uri(&layout::artifact_folder(&version.artifact, &version.id))
    }
}
