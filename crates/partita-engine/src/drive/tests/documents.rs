//! The deployments that tests drive.

use std::collections::BTreeMap;

use partita_core::deployment::{Deployment, Environment, Pipeline, Step, StepConfig};
use partita_core::settings::FailureMode;
use partita_core::stack::{Component, ComponentType, Stack};

use super::fake::name;

/// Returns a deployment of steps `a`, `b`, …, given the numbers of the upstream steps of each.
pub(super) fn deployment(upstream: &[&[usize]]) -> Deployment {
    let component = |name: &str, component_type| Component {
        name: name.to_owned(),
        component_type,
        flavor: "fake".to_owned(),
        config: BTreeMap::new(),
    };
    let step = |(number, row): (usize, &&[usize])| Step {
        name: name(number),
        source: "fake:step".to_owned(),
        parameters: BTreeMap::new(),
        inputs: BTreeMap::new(),
        map_over: None,
        upstream_steps: row.iter().map(|&up| name(up)).collect(),
        outputs: Vec::new(),
        config: StepConfig::default(),
    };
    Deployment {
        version: partita_core::deployment::VERSION,
        id: "fake".to_owned(),
        pipeline: Pipeline {
            name: "fake".to_owned(),
            source: "fake:pipeline".to_owned(),
            parameters: BTreeMap::new(),
            failure_mode: FailureMode::FailFast,
            hooks: Default::default(),
        },
        stack: Stack {
            name: "fake".to_owned(),
            orchestrators: vec![component("backend", ComponentType::Orchestrator)],
            artifact_store: component("store", ComponentType::ArtifactStore),
            image_builder: None,
            container_registry: None,
        },
        environment: Environment::default(),
        sources: BTreeMap::new(),
        steps: upstream.iter().enumerate().map(step).collect(),
    }
}
