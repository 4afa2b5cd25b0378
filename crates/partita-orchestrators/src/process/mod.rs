//! The `process` orchestrator: every step in an operating-system process of its own, as many at
//! once as the machine can carry.
//!
//! One thread, the `supervisor`, owns all processes of a run: it starts them, reads what they
//! print, and learns how they end. Where it can, it has a Python *zygote* fork them, a process that
//! has imported the author's modules already; else it starts the step entrypoint anew. Whatever a
//! step does to its process, no other step sees it. When the engine dies, its steps are ended: the
//! zygote sees its socket close, and each process has asked the system to end it with its parent.

mod config;
mod entrypoint;
mod kills;
mod launcher;
mod lock;
mod mailbox;
mod open_files;
mod pipes;
mod running;
mod supervisor;
mod warm;
mod watcher;
mod zygote;

use std::collections::BTreeMap;

use partita_core::deployment::Step;
use partita_core::literal::Literal;
use partita_core::stack::{Capabilities, ComponentType, Delegates, Flavor};

pub use config::ProcessOrchestratorConfig;
pub use launcher::{OpenError, Place, ProcessLauncher, end_left};
pub use watcher::watch;

/// The name of the flavor.
pub const NAME: &str = "process";

/// Returns the flavor.
pub fn flavor() -> Flavor {
    Flavor {
        name: NAME.to_owned(),
        component_type: ComponentType::Orchestrator,
        description: "Runs every step in a process of its own, as many at once as fit.".to_owned(),
        source: "built-in".to_owned(),
        config_schema: schemars::schema_for!(ProcessOrchestratorConfig).to_value(),
        settings_schema: None,
        plugin: None,
    }
}

/// Seconds in which a busy machine ends a process that was killed when its grace was over.
const ENDING: f64 = 30.0;

/// Returns what an orchestrator with this configuration can do on this machine.
///
/// # Errors
/// What is wrong with the configuration.
pub fn capabilities(config: &BTreeMap<String, Literal>) -> Result<Capabilities, String> {
    let config = ProcessOrchestratorConfig::of(config)?;
    open_files::check(config.max_parallelism())?;
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
        images: false,
        delegates: Delegates::No,
        claims: None,
    })
}

/// Returns why an orchestrator with this configuration, which forks steps, would not fork this one,
/// as far as that is known before it runs.
pub fn starts_anew(config: &BTreeMap<String, Literal>, step: &Step) -> Option<&'static str> {
    let config = ProcessOrchestratorConfig::of(config).ok()?;
    config.warm.then(|| entrypoint::needs_own_start(step)).flatten()
}
