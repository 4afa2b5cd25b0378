//! Writes what happens to steps; the hot path of the index.

use partita_core::run::StepResult;
use partita_core::status::StepStatus;
use partita_core::time::Timestamp;
use rusqlite::{Connection, params};

use super::Attempted;
use super::record::{Record, json};
use crate::metadata::changes::StepRun;
use crate::metadata::views::AttemptStatus;

/// What the column `item` says of a step itself.
const WHOLE: i64 = -1;

impl StepRun {
    fn item_column(&self) -> i64 {
        self.item.map_or(WHOLE, i64::from)
    }
}

pub(super) fn expanded(
    connection: &Connection,
    run: i64,
    step: &StepRun,
    items: u32,
) -> Attempted<()> {
    connection
        .prepare_cached(
            "INSERT INTO step_runs (run, name, item, step, status, items)
             VALUES (?, ?, ?, ?, 'running', ?)
             ON CONFLICT DO UPDATE
             SET items = excluded.items,
                 status = iif(step_runs.status = 'waiting', 'running', step_runs.status)",
        )?
        .execute(params![run, step.name(), WHOLE, step.index as i64, items])?;
    Ok(())
}

pub(super) fn started(
    connection: &Connection,
    run: i64,
    step: &StepRun,
    attempt: u32,
    at: Timestamp,
) -> Attempted<()> {
    let is_news = connection
        .prepare_cached(
            "INSERT INTO attempts (run, step, item, number, status, started_at)
             VALUES (?, ?, ?, ?, 'running', ?)
             ON CONFLICT DO UPDATE
             SET status = 'running', started_at = excluded.started_at, ended_at = NULL, error = NULL
             WHERE attempts.status IN ('interrupted', 'cancelled')
             AND excluded.started_at > attempts.started_at",
        )?
        .execute(params![run, step.index as i64, step.item_column(), attempt, at.0])?;
    if is_news == 0 {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO step_runs (run, name, item, step, status) VALUES (?, ?, ?, ?, 'running')
             ON CONFLICT DO UPDATE SET status = 'running', ended_at = NULL, reason = NULL
             WHERE step_runs.status NOT IN ('completed', 'cached')",
        )?
        .execute(params![run, step.name(), step.item_column(), step.index as i64])?;
    Ok(())
}

pub(super) fn retrying(connection: &Connection, run: i64, step: &StepRun) -> Attempted<()> {
    connection
        .prepare_cached(
            "UPDATE step_runs SET status = 'retrying', ended_at = NULL
             WHERE run = ? AND name = ? AND item = ? AND status IN ('failed', 'running')",
        )?
        .execute(params![run, step.name(), step.item_column()])?;
    Ok(())
}

/// Records how an attempt ended; the first success of a step stays.
pub(super) fn ended(
    connection: &Connection,
    run: i64,
    step: &StepRun,
    result: &StepResult,
) -> Attempted<()> {
    let is_news = connection
        .prepare_cached(
            "INSERT INTO step_runs (run, name, item, step, status, ended_at, record)
             VALUES (?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT DO UPDATE
             SET status = excluded.status, ended_at = excluded.ended_at, reason = NULL,
                 record = excluded.record
             WHERE step_runs.status NOT IN ('completed', 'cached')",
        )?
        .execute(params![
            run,
            step.name(),
            step.item_column(),
            step.index as i64,
            result.status.as_str(),
            result.ended_at.0,
            json(&Record::of(result))?,
        ])?;
    if is_news == 0 {
        return Ok(());
    }
    if result.attempt > 0 {
        attempt_ended(connection, run, step, result)?;
    }
    if result.status.is_successful() {
        put_versions(connection, run, step, result)?;
    }
    Ok(())
}

fn attempt_ended(
    connection: &Connection,
    run: i64,
    step: &StepRun,
    result: &StepResult,
) -> Attempted<()> {
    let status = match result.status {
        StepStatus::Failed => AttemptStatus::Failed,
        StepStatus::Cancelled => AttemptStatus::Cancelled,
        _ => AttemptStatus::Completed,
    };
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO attempts
                 (run, step, item, number, status, started_at, ended_at, error)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            run,
            step.index as i64,
            step.item_column(),
            result.attempt,
            status.as_str(),
            result.started_at.0,
            result.ended_at.0,
            result.error.as_ref().map(json).transpose()?,
        ])?;
    Ok(())
}

fn put_versions(
    connection: &Connection,
    run: i64,
    step: &StepRun,
    result: &StepResult,
) -> Attempted<()> {
    // A mapped step makes its lists itself, also where all items are cached.
    let is_made = result.cached_from.is_none();
    for (output, version) in &result.outputs {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO outputs (run, step, item, output, version, artifact, made)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                run,
                step.name(),
                step.item_column(),
                output,
                version.id,
                version.artifact,
                is_made
            ])?;
    }
    for (input, reference) in &result.inputs {
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO inputs (run, step, item, input, version)
                 VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![run, step.name(), step.item_column(), input, reference.id])?;
    }
    Ok(())
}

pub(super) fn skipped(
    connection: &Connection,
    run: i64,
    step: &StepRun,
    reason: &str,
) -> Attempted<()> {
    connection
        .prepare_cached(
            "INSERT INTO step_runs (run, name, item, step, status, reason)
             VALUES (?, ?, ?, ?, 'skipped', ?)
             ON CONFLICT DO UPDATE SET status = 'skipped', ended_at = NULL, reason = excluded.reason
             WHERE step_runs.status NOT IN ('completed', 'cached')",
        )?
        .execute(params![run, step.name(), step.item_column(), step.index as i64, reason])?;
    Ok(())
}

/// Records a cancellation; a result that came or comes from the step says when it ended.
pub(super) fn cancelled(
    connection: &Connection,
    run: i64,
    step: &StepRun,
    at: Timestamp,
) -> Attempted<()> {
    connection
        .prepare_cached(
            "INSERT INTO step_runs (run, name, item, step, status, ended_at)
             VALUES (?, ?, ?, ?, 'cancelled', ?)
             ON CONFLICT DO UPDATE
             SET status = 'cancelled',
                 ended_at = iif(record IS NULL OR ended_at IS NULL, excluded.ended_at, ended_at)
             WHERE step_runs.status NOT IN ('completed', 'cached', 'failed')",
        )?
        .execute(params![run, step.name(), step.item_column(), step.index as i64, at.0])?;
    connection
        .prepare_cached(
            "UPDATE attempts SET status = 'cancelled', ended_at = ?
             WHERE run = ? AND step = ? AND item = ? AND status = 'running'",
        )?
        .execute(params![at.0, run, step.index as i64, step.item_column()])?;
    Ok(())
}
