//! Writes runs and their changes as rows.

use std::collections::{HashMap, HashSet};

use partita_core::deployment::Deployment;
use partita_core::literal::Literal;
use partita_core::run::{Failure, RunEnd};
use partita_core::status::RunStatus;
use rusqlite::{Connection, OptionalExtension, params};

use super::record::json;
use super::{Attempted, steps};
use crate::metadata::changes::{Change, RunRecord, RunStart};

/// What an attempt says that ran when its engine died.
const INTERRUPTED: &str = "the engine ended while this attempt ran";

/// The tables whose rows belong to a run.
const TABLES: [&str; 5] = ["run_metadata", "step_runs", "attempts", "outputs", "inputs"];

/// Inserts a run, or sets the status of one that is there.
pub(super) fn start(connection: &Connection, start: &RunStart) -> Attempted<()> {
    let header = &start.header;
    if let Some(deployment) = &start.deployment {
        put_deployment(connection, deployment)?;
    }
    connection
        .prepare_cached(
            "INSERT INTO runs (id, name, pipeline, status, store, deployment_id, started_at, header)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET status = excluded.status",
        )?
        .execute(params![
            header.id,
            header.name,
            header.pipeline,
            start.status.as_str(),
            start.store,
            header.deployment_id,
            header.started_at.0,
            json(header)?,
        ])?;
    Ok(())
}

fn put_deployment(connection: &Connection, deployment: &Deployment) -> Attempted<()> {
    let known = connection
        .prepare_cached("SELECT 1 FROM deployments WHERE id = ?")?
        .exists([&deployment.id])?;
    if known {
        return Ok(());
    }
    let positions: HashMap<&str, usize> = deployment
        .steps
        .iter()
        .enumerate()
        .map(|(index, step)| (step.name.as_str(), index))
        .collect();
    let shape: Vec<(&str, Vec<usize>)> = deployment
        .steps
        .iter()
        .map(|step| {
            let upstream = step.upstream_steps.iter();
            (
                step.name.as_str(),
                upstream.filter_map(|name| positions.get(name.as_str()).copied()).collect(),
            )
        })
        .collect();
    connection.execute(
        "INSERT INTO deployments (id, shape) VALUES (?, ?)",
        params![deployment.id, json(&shape)?],
    )?;
    Ok(())
}

/// Returns the id of the run, other than `run_id`, that has this name.
pub(super) fn namesake(
    connection: &Connection,
    name: &str,
    run_id: &str,
) -> Attempted<Option<String>> {
    Ok(connection
        .prepare_cached("SELECT id FROM runs WHERE name = ? AND id <> ?")?
        .query_row([name, run_id], |row| row.get(0))
        .optional()?)
}

/// Puts a run and everything that happened to it in place of what is known of it.
pub(super) fn replace(connection: &Connection, record: &RunRecord) -> Attempted<()> {
    forget(connection, &record.start.header.id)?;
    start(connection, &record.start)?;
    changes(connection, &record.changes)
}

/// Deletes a run's rows, and its deployment if no other run has it.
pub(super) fn forget(connection: &Connection, run_id: &str) -> Attempted<()> {
    let Some(key) = key(connection, run_id)? else { return Ok(()) };
    for table in TABLES {
        connection.execute(&format!("DELETE FROM {table} WHERE run = ?"), [key])?;
    }
    let deployment: String =
        connection
            .query_row("SELECT deployment_id FROM runs WHERE key = ?", [key], |row| row.get(0))?;
    connection.execute("DELETE FROM runs WHERE key = ?", [key])?;
    connection.execute(
        "DELETE FROM deployments WHERE id = ?1
         AND NOT EXISTS (SELECT 1 FROM runs WHERE deployment_id = ?1)",
        [deployment],
    )?;
    Ok(())
}

/// Returns the key of a run's rows.
pub(super) fn key(connection: &Connection, run_id: &str) -> Attempted<Option<i64>> {
    Ok(connection
        .prepare_cached("SELECT key FROM runs WHERE id = ?")?
        .query_row([run_id], |row| row.get(0))
        .optional()?)
}

/// Writes changes, in order. Those of runs that are not there are left out, and so are starts of
/// attempts that end in the same batch.
pub(super) fn changes(connection: &Connection, changes: &[Change]) -> Attempted<()> {
    let ended: HashSet<(&str, usize, Option<u32>, u32)> = changes
        .iter()
        .filter_map(|change| match change {
            Change::StepEnded { step, result } => {
                Some((&*step.run_id, step.index, step.item, result.attempt))
            }
            _ => None,
        })
        .collect();
    let mut last: Option<(&str, Option<i64>)> = None;
    for change in changes {
        if let Change::StepStarted { step, attempt, .. } = change
            && ended.contains(&(&*step.run_id, step.index, step.item, *attempt))
        {
            continue;
        }
        let run_id = change.run_id();
        let run = match last {
            Some((id, run)) if id == run_id => run,
            _ => key(connection, run_id)?,
        };
        last = Some((run_id, run));
        if let Some(run) = run {
            apply(connection, run, change)?;
        }
    }
    Ok(())
}

fn apply(connection: &Connection, run: i64, change: &Change) -> Attempted<()> {
    match change {
        Change::StepExpanded { step, items } => steps::expanded(connection, run, step, *items),
        Change::StepStarted { step, attempt, at } => {
            steps::started(connection, run, step, *attempt, *at)
        }
        Change::StepRetrying { step } => steps::retrying(connection, run, step),
        Change::StepEnded { step, result } => steps::ended(connection, run, step, result),
        Change::StepSkipped { step, reason } => steps::skipped(connection, run, step, reason),
        Change::StepCancelled { step, at } => steps::cancelled(connection, run, step, *at),
        Change::RunResumed { .. } => resumed(connection, run),
        Change::RunIdentified { orchestrator_run_id, .. } => {
            connection
                .prepare_cached(
                    "UPDATE runs SET header = json_set(header, '$.orchestrator_run_id', ?2) WHERE key = ?1",
                )?
                .execute(params![run, orchestrator_run_id])?;
            Ok(())
        }
        Change::RunSubmitted { .. } => {
            set_status(connection, run, RunStatus::Submitted, None, None)
        }
        Change::RunInterrupted { error, .. } => interrupted(connection, run, error.as_deref()),
        Change::RunEnded { end, .. } => ended(connection, run, end),
        Change::RunMetadata { key, value, .. } => {
            // What is not JSON after all is kept as text rather than lost.
            let value = Literal::parse(value)
                .map_or_else(|_| json(value), |value| Ok(value.text().to_owned()))?;
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO run_metadata (run, key, value) VALUES (?, ?, ?)",
                )?
                .execute(params![run, key, value])?;
            Ok(())
        }
    }
}

fn resumed(connection: &Connection, run: i64) -> Attempted<()> {
    set_status(connection, run, RunStatus::Running, None, None)?;
    interrupt_attempts(connection, run)?;
    connection.execute(
        "UPDATE step_runs SET status = 'waiting', ended_at = NULL, reason = NULL, record = NULL
         WHERE run = ? AND status NOT IN ('completed', 'cached')",
        [run],
    )?;
    Ok(())
}

fn interrupted(connection: &Connection, run: i64, error: Option<&str>) -> Attempted<()> {
    set_status(connection, run, RunStatus::Interrupted, None, error)?;
    interrupt_attempts(connection, run)?;
    connection.execute(
        "UPDATE step_runs SET status = 'waiting', ended_at = NULL
         WHERE run = ? AND status IN ('running', 'retrying')",
        [run],
    )?;
    Ok(())
}

/// Sets how a run ended; what was still open ended with it.
fn ended(connection: &Connection, run: i64, end: &RunEnd) -> Attempted<()> {
    set_status(connection, run, end.status, Some(end.ended_at.0), end.error.as_deref())?;
    connection.execute(
        "UPDATE attempts SET status = 'cancelled', ended_at = ? WHERE run = ? AND status = 'running'",
        params![end.ended_at.0, run],
    )?;
    connection.execute(
        "UPDATE step_runs SET status = 'cancelled', ended_at = ? WHERE run = ? AND status = 'running'",
        params![end.ended_at.0, run],
    )?;
    connection.execute(
        "UPDATE step_runs SET status = 'failed' WHERE run = ? AND status = 'retrying'",
        [run],
    )?;
    Ok(())
}

fn set_status(
    connection: &Connection,
    run: i64,
    status: RunStatus,
    ended_at: Option<i64>,
    error: Option<&str>,
) -> Attempted<()> {
    connection
        .prepare_cached("UPDATE runs SET status = ?, ended_at = ?, error = ? WHERE key = ?")?
        .execute(params![status.as_str(), ended_at, error, run])?;
    Ok(())
}

fn interrupt_attempts(connection: &Connection, run: i64) -> Attempted<()> {
    connection.execute(
        "UPDATE attempts SET status = 'interrupted', error = ? WHERE run = ? AND status = 'running'",
        params![json(&Failure::ours(INTERRUPTED))?, run],
    )?;
    Ok(())
}
