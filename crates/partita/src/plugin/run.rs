//! The run that an orchestrator serves.

use std::collections::BTreeMap;

use partita_plugin::message::{Open, Stack};

/// The run that an orchestrator serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The name of the orchestrator, as a component.
    pub component: String,
    /// The run's id: the same for all its steps, and another for each run.
    pub run_id: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// The deployment that the run executes: `deployments/<deployment_id>.json` in the artifact store.
    pub deployment_id: String,
    /// The URI of the artifact store.
    pub artifact_store: String,
    /// The stack that it runs on.
    pub stack: Stack,
    /// The image of each step that runs in one, by the step's name.
    pub images: BTreeMap<String, String>,
}

impl From<Open> for Run {
    fn from(open: Open) -> Self {
        Self {
            component: open.component,
            run_id: open.run_id,
            pipeline: open.pipeline,
            deployment_id: open.deployment_id,
            artifact_store: open.artifact_store,
            stack: open.stack,
            images: open.images,
        }
    }
}
