//! The `docker` orchestrator: every step in a container of its own, on an engine of this machine that
//! speaks Docker's API (Docker itself, rootless or not, or Podman).
//!
//! One thread, the `supervisor`, has a runtime in which each attempt is a task: it creates and starts
//! the container, follows what that prints, and reports how it ended. The container's name is made of
//! the attempt's id, so that another engine finds it again: containers outlive their engine, and what
//! they made is committed without one. The artifact store is mounted where it is here; the author's
//! code comes out of it.

mod attempt;
mod commands;
mod config;
mod container;
mod cuda;
mod ended;
mod endpoint;
mod engine;
mod gpu_probe;
mod launcher;
mod left;
mod preflight;
mod python;
mod settings;
mod stopping;
mod supervisor;
mod unstarted;
mod users;

use std::collections::BTreeMap;

use partita_core::literal::Literal;
use partita_core::stack::{Capabilities, ComponentType, Delegates, Flavor};

pub use config::DockerOrchestratorConfig;
pub use endpoint::Endpoint;
pub use engine::{Engine, Trouble, architecture_of_images};
pub use gpu_probe::probe;
pub use launcher::{DockerLauncher, OpenError, Place};
pub use left::end_left;
pub use preflight::{PreflightError, check, found};
pub use settings::DockerOrchestratorSettings;

/// The name of the flavor.
pub const NAME: &str = "docker";

/// Returns the flavor.
pub fn flavor() -> Flavor {
    Flavor {
        name: NAME.to_owned(),
        component_type: ComponentType::Orchestrator,
        description: "Runs every step in a container of its own, as many at once as fit."
            .to_owned(),
        source: "built-in".to_owned(),
        config_schema: schemars::schema_for!(DockerOrchestratorConfig).to_value(),
        settings_schema: Some(settings_schema()),
        plugin: None,
    }
}

/// Returns the JSON Schema of its settings on pipelines and steps.
pub fn settings_schema() -> serde_json::Value {
    schemars::schema_for!(DockerOrchestratorSettings).to_value()
}

/// Seconds in which a busy engine ends a container that was killed when its grace was over.
const ENDING: f64 = 30.0;

/// Returns what an orchestrator with this configuration can do on this machine.
///
/// # Errors
/// What is wrong with the configuration, or with the engine that it names.
pub fn capabilities(config: &BTreeMap<String, Literal>) -> Result<Capabilities, String> {
    let config = DockerOrchestratorConfig::of(config)?;
    endpoint::Endpoint::of(&config)?;
    Ok(Capabilities {
        max_parallelism: Some(config.max_parallelism()),
        timeouts: true,
        grace: config.grace.0 + ENDING,
        loads_steps_again: true,
        cpus: Some(config.cpus()),
        memory: Some(config.memory()),
        gpus: Some(u32::try_from(config.gpus().len()).unwrap_or(u32::MAX)),
        gpu_classes: false,
        allow_unenforced: false,
        images: true,
        delegates: Delegates::No,
        claims: None,
    })
}
