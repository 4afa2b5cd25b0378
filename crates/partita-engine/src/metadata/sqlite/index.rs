//! The index of runs in SQLite.

use rusqlite::params;

use super::{Durability, SqliteMetadataStore, apply, queries};
use crate::metadata::changes::{Change, RunRecord, RunStart};
use crate::metadata::error::{MetadataError, Result};
use crate::metadata::views::{ArtifactView, LineageStep, RunSummary, RunView};
use crate::metadata::{Direction, PipelineAt, RunFilter, RunIndex, VersionFilter};

/// Runs of a pipeline in which an earlier result of a step is looked for.
const RUNS_LOOKED_AT: u32 = 200;

/// The condition on runs that are those of a [`PipelineAt`], whose fields are the first values.
const OF_PIPELINE: &str =
    "pipeline = ?1 AND header ->> '$.target.source_root' IS ?2 AND store = ?3";

impl RunIndex for SqliteMetadataStore {
    fn start_run(&self, start: &RunStart) -> Result<()> {
        self.write(Durability::Process, |transaction| {
            let header = &start.header;
            if let Some(other) = apply::namesake(transaction, &header.name, &header.id)? {
                return Err(MetadataError::Exists {
                    what: "run".to_owned(),
                    name: header.name.clone(),
                    help: format!(
                        "it has the id `{other}`; choose another name, or delete it with `partita runs delete {other}`"
                    ),
                }
                .into());
            }
            apply::start(transaction, start)
        })
    }

    fn apply(&self, changes: &[Change]) -> Result<()> {
        self.write(Durability::Process, |transaction| apply::changes(transaction, changes))
    }

    fn replace_run(&self, record: &RunRecord, holds: &dyn Fn() -> bool) -> Result<bool> {
        self.write(Durability::Process, |transaction| {
            let is_put = !holds();
            if is_put {
                apply::replace(transaction, record)?;
            }
            Ok(is_put)
        })
    }

    fn forget_run(&self, run_id: &str, holds: &dyn Fn() -> bool) -> Result<bool> {
        self.write(Durability::Process, |transaction| {
            if holds() {
                return Ok(false);
            }
            apply::forget(transaction, run_id).map(|()| true)
        })
    }

    fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>> {
        self.read(|connection| queries::runs(connection, filter))
    }

    fn unended_runs(&self) -> Result<Vec<RunSummary>> {
        let condition = "status IN ('initializing', 'submitted', 'running') ORDER BY key";
        self.read(|connection| queries::summaries(connection, condition, params![]))
    }

    fn matching_runs(&self, reference: &str) -> Result<Vec<RunSummary>> {
        self.read(|connection| queries::matching(connection, reference))
    }

    fn run(&self, run_id: &str) -> Result<Option<RunView>> {
        self.read(|connection| queries::run(connection, run_id))
    }

    fn versions(&self, filter: &VersionFilter) -> Result<Vec<ArtifactView>> {
        self.read(|connection| queries::versions(connection, filter))
    }

    fn neighbours(&self, version: &str, direction: Direction) -> Result<Vec<LineageStep>> {
        self.read(|connection| queries::neighbours(connection, version, direction))
    }

    fn has_other_runs(&self, pipeline: &PipelineAt<'_>, run_id: &str) -> Result<bool> {
        let PipelineAt { name, source_root, store } = *pipeline;
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT EXISTS (SELECT 1 FROM runs WHERE {OF_PIPELINE} AND id <> ?4)"
            ))?;
            let found =
                statement.query_row(params![name, source_root, store, run_id], |row| row.get(0));
            Ok(found?)
        })
    }

    fn previous_step_result(
        &self,
        pipeline: &PipelineAt<'_>,
        step: &str,
    ) -> Result<Option<(String, String)>> {
        use rusqlite::OptionalExtension;
        let PipelineAt { name, source_root, store } = *pipeline;
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT r.id, r.deployment_id FROM (
                     SELECT key, id, deployment_id, started_at FROM runs WHERE {OF_PIPELINE}
                     ORDER BY started_at DESC, id DESC LIMIT ?5
                 ) r
                 CROSS JOIN step_runs s ON s.run = r.key AND s.name = ?4
                     AND s.status IN ('completed', 'cached')
                 ORDER BY r.started_at DESC, r.id DESC LIMIT 1"
            ))?;
            let values = params![name, source_root, store, step, RUNS_LOOKED_AT];
            let found = statement.query_row(values, |row| Ok((row.get(0)?, row.get(1)?)));
            Ok(found.optional()?)
        })
    }
}
