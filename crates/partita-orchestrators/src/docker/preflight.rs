//! What is looked at before a run begins: the engine, and the images that steps run in.

use std::collections::BTreeMap;

use partita_core::deployment::{Deployment, Step};
use partita_core::stack::Component;

use super::config::DockerOrchestratorConfig;
use super::endpoint::Endpoint;
use super::engine::{Engine, Trouble, away};

/// Why no step of a run could be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreflightError {
    /// The configuration is wrong.
    #[error("the orchestrator `{name}` has a wrong configuration: {reason}")]
    BadConfig {
        /// The orchestrator.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The engine does not answer.
    #[error(
        "{0}; start it, or say where it is with `DOCKER_HOST` or with `host` of the orchestrator's configuration"
    )]
    Away(String),
    /// The engine cannot run a step.
    #[error("{0}")]
    Unfit(String),
    /// The system refuses what asking the engine takes.
    #[error("the engine cannot be asked: {0}")]
    System(#[from] std::io::Error),
}

impl PreflightError {
    /// Returns whether the engine is out of reach.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Away(_))
    }
}

/// Checks that an orchestrator's engine is there, with the images of the steps that it runs.
///
/// # Errors
/// If it is not.
pub fn check(orchestrator: &Component, deployment: &Deployment) -> Result<(), PreflightError> {
    let name = || orchestrator.name.clone();
    let bad_config = |reason| PreflightError::BadConfig { name: name(), reason };
    let config = DockerOrchestratorConfig::of(&orchestrator.config).map_err(bad_config)?;
    let endpoint = Endpoint::of(&config).map_err(bad_config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let engine = Engine::connect(&endpoint).await;
        let engine = engine
            .map_err(|trouble| PreflightError::Away(away(&endpoint, &trouble.to_string())))?;
        for (image, step) in images(deployment, orchestrator) {
            check_image(&engine, image, step).await?;
        }
        Ok(())
    })
}

/// Returns the images of the steps that an orchestrator runs, each with one of these steps.
fn images<'d>(
    deployment: &'d Deployment,
    orchestrator: &'d Component,
) -> BTreeMap<&'d str, &'d Step> {
    let steps = deployment.steps_on(&orchestrator.name);
    steps.filter_map(|step| Some((step.config.docker.parent_image.as_deref()?, step))).collect()
}

async fn check_image(engine: &Engine, image: &str, step: &Step) -> Result<(), PreflightError> {
    let step = &step.name;
    let inspected = engine.docker.inspect_image(image).await;
    let found = inspected.map_err(|error| match Trouble::from(error) {
        Trouble::Away(why) => PreflightError::Away(engine.away(&why)),
        Trouble::NotFound(_) => PreflightError::Unfit(format!(
            "step `{step}` runs in the image `{image}`, which the engine at `{}` does not have; pull or build it there, or correct its name",
            engine.endpoint
        )),
        trouble => PreflightError::Unfit(format!(
            "step `{step}` runs in the image `{image}`, which cannot be looked at: {trouble}"
        )),
    })?;
    let architecture = found.architecture.unwrap_or_default();
    if architecture.is_empty() || architecture == engine.architecture {
        return Ok(());
    }
    Err(PreflightError::Unfit(format!(
        "step `{step}` runs in the image `{image}`, which is made for `{architecture}`, and the engine at `{}` runs on `{}`; take one that is made for it",
        engine.endpoint, engine.architecture
    )))
}
