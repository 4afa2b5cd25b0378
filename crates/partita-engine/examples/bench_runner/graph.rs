//! Graphs of steps that are only scheduled, and the result that each of them has.

use std::collections::BTreeMap;
use std::sync::Arc;

use partita_core::deployment::{Deployment, Environment, Hooks, Pipeline, Step, StepConfig};
use partita_core::run::StepResult;
use partita_core::settings::FailureMode;
use partita_core::stack::{Component, ComponentType, Stack};
use partita_core::status::StepStatus;
use partita_core::time::Timestamp;

/// Returns a deployment; `shape` says which steps a step waits for.
pub(crate) fn deployment(size: usize, shape: fn(usize) -> Vec<usize>) -> Deployment {
    let component = |name: &str, component_type| Component {
        name: name.to_owned(),
        component_type,
        flavor: "bench".to_owned(),
        config: BTreeMap::new(),
    };
    let step = |number: usize| Step {
        name: format!("step_{number}"),
        source: "bench:step".to_owned(),
        parameters: BTreeMap::new(),
        inputs: BTreeMap::new(),
        map_over: None,
        upstream_steps: shape(number).into_iter().map(|up| format!("step_{up}")).collect(),
        outputs: Vec::new(),
        config: StepConfig::default(),
    };
    Deployment {
        version: partita_core::deployment::VERSION,
        id: "bench".to_owned(),
        pipeline: Pipeline {
            name: "bench".to_owned(),
            source: "bench:pipeline".to_owned(),
            parameters: BTreeMap::new(),
            failure_mode: FailureMode::FailFast,
            hooks: Hooks::default(),
        },
        stack: Stack {
            name: "bench".to_owned(),
            orchestrators: vec![component("bench", ComponentType::Orchestrator)],
            artifact_store: component("bench", ComponentType::ArtifactStore),
            image_builder: None,
            container_registry: None,
        },
        environment: Environment::default(),
        sources: BTreeMap::new(),
        steps: (0..size).map(step).collect(),
    }
}

/// Returns the result of every step.
pub(crate) fn result() -> Arc<StepResult> {
    Arc::new(StepResult {
        version: partita_core::run::VERSION,
        run_id: "bench".to_owned(),
        step: "step".to_owned(),
        item: None,
        attempt: 1,
        status: StepStatus::Completed,
        started_at: Timestamp(0),
        ended_at: Timestamp(0),
        inputs: BTreeMap::new(),
        outputs: BTreeMap::new(),
        cache_key: None,
        cache_reason: None,
        cached_from: None,
        error: None,
        metadata: BTreeMap::new(),
    })
}
