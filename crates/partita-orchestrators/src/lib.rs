//! The built-in orchestrators of Partita, one module a flavor.

pub mod docker;
pub mod gpus;
pub mod launchers;
pub mod local;
mod machine;
pub mod nvidia;
pub mod output;
pub mod process;
pub mod programs;
mod threads;

use std::collections::BTreeMap;

use partita_core::deployment::{Deployment, Step};
use partita_core::stack::{Capabilities, Component, Flavor};

/// Returns the orchestrator flavors that need no registration.
pub fn flavors() -> Vec<Flavor> {
    vec![local::flavor(), process::flavor(), docker::flavor()]
}

/// Returns what makes the JSON Schemas of the settings that these flavors take, by their names.
pub fn settings_schemas() -> BTreeMap<&'static str, Option<fn() -> serde_json::Value>> {
    BTreeMap::from([
        (local::NAME, None),
        (process::NAME, None),
        (docker::NAME, Some(docker::settings_schema as fn() -> serde_json::Value)),
    ])
}

/// Returns what an orchestrator can do, what is wrong with its configuration, or `None` if its
/// flavor is not built in.
pub fn capabilities(orchestrator: &Component) -> Option<Result<Capabilities, String>> {
    match orchestrator.flavor.as_str() {
        local::NAME => {
            Some(local::capabilities(&orchestrator.config).map_err(|error| error.to_string()))
        }
        process::NAME => Some(process::capabilities(&orchestrator.config)),
        docker::NAME => Some(docker::capabilities(&orchestrator.config)),
        _ => None,
    }
}

/// Returns why a step would start Python anew although its orchestrator forks others, if so.
pub fn starts_anew(deployment: &Deployment, step: &Step) -> Option<&'static str> {
    let named = step.config.orchestrator.as_deref();
    let orchestrator = deployment.stack.orchestrator_named(named)?;
    let is_process = orchestrator.flavor == process::NAME && deployment.program_of(step).is_none();
    is_process.then(|| process::starts_anew(&orchestrator.config, step)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schemas_of_settings_are_those_of_the_flavors() {
        let schemas = settings_schemas();
        assert_eq!(schemas.len(), flavors().len());
        for flavor in flavors() {
            let made = schemas[flavor.name.as_str()].map(|schema| schema());
            assert_eq!(made, flavor.settings_schema, "{}", flavor.name);
        }
    }
}
