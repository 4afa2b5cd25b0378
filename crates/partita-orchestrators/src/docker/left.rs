//! Ends what a run has left on an engine that nobody drives any more: containers outlive their run's
//! engine, so that they are found again, and not every run is resumed.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::ContainerSummaryStateEnum;
use bollard::query_parameters::ListContainersOptionsBuilder;
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use partita_core::stack::Stack;
use tokio::sync::watch;

use super::config::DockerOrchestratorConfig;
use super::container::RUN_LABEL;
use super::engine::{Engine, Trouble};
use super::preflight::{PreflightError, connect, read};
use super::{NAME, stopping};

/// Ends the containers of a run, removes those that its orchestrators do not keep, and returns how many
/// still ran. Nobody else may drive the run meanwhile.
///
/// # Errors
/// If an engine is out of reach.
pub fn end_left(stack: &Stack, run_id: &str) -> Result<usize, PreflightError> {
    let mut ended = 0;
    for orchestrator in stack.orchestrators.iter().filter(|found| found.flavor == NAME) {
        let (config, endpoint) = read(orchestrator)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        ended += runtime.block_on(async {
            let engine = connect(&endpoint).await?;
            let left = end_all(&engine, &config, run_id).await;
            left.map_err(|trouble| PreflightError::Away(engine.away(&trouble.to_string())))
        })?;
    }
    Ok(ended)
}

async fn end_all(
    engine: &Engine,
    config: &DockerOrchestratorConfig,
    run_id: &str,
) -> Result<usize, Trouble> {
    let filters = HashMap::from([("label", vec![format!("{RUN_LABEL}={run_id}")])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let found = engine.docker.list_containers(Some(options)).await?;
    let ends = found.into_iter().filter_map(|found| {
        let runs = found.state == Some(ContainerSummaryStateEnum::RUNNING);
        found.id.map(|id| end(engine, config, id, runs))
    });
    Ok(try_join_all(ends).await?.into_iter().filter(|ran| *ran).count())
}

/// Ends a container as a cancelled one is, and returns whether it ran.
async fn end(
    engine: &Engine,
    config: &DockerOrchestratorConfig,
    id: String,
    runs: bool,
) -> Result<bool, Trouble> {
    if runs {
        let grace = Duration::try_from_secs_f64(config.grace.0).unwrap_or_default();
        let (_asking, asked) = watch::channel(1);
        let mut ended = std::pin::pin!(engine.docker.wait_container(&id, None));
        tokio::select! {
            _ = ended.next() => {}
            () = stopping::attend(engine, &id, asked, grace) => {}
        }
    }
    if !config.remove.keeps(false) {
        stopping::remove(engine, &id).await?;
    }
    Ok(runs)
}
