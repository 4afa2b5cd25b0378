//! The configuration of an orchestrator.

use partita_plugin::message::Problem;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// The configuration of an orchestrator's components.
///
/// Its JSON Schema is kept when the flavor is registered: components are configured with it, also
/// where the executable is not. With `deny_unknown_fields`, a key that is mistyped is refused.
///
/// ```
/// use partita::plugin::{BaseOrchestratorConfig, Problem};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// #[serde(deny_unknown_fields)]
/// struct QueueConfig {
///     /// Where steps wait.
///     queue: String,
/// }
///
/// impl BaseOrchestratorConfig for QueueConfig {
///     fn problems(&self) -> Vec<Problem> {
///         let is_known = ["day", "night"].contains(&self.queue.as_str());
///         let problem = || Problem::of("queue", format!("there is no queue `{}`", self.queue));
///         (!is_known).then(problem).into_iter().collect()
///     }
/// }
/// ```
pub trait BaseOrchestratorConfig: DeserializeOwned + JsonSchema {
    /// Returns what is wrong with it that no schema can say.
    ///
    /// It is asked when a component is registered or changed, and when a run begins.
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// Returns whether steps run on other machines, which cannot read what this one hands over: a
    /// pipeline whose steps take secrets is refused then.
    fn is_remote(&self) -> bool {
        false
    }

    /// Returns whether steps run on this machine alone; information for people and validators.
    fn is_local(&self) -> bool {
        false
    }

    /// Returns whether a run is over when [`prepare_or_run_pipeline`] returns; else it is submitted, and
    /// its last entrypoint ends it.
    ///
    /// [`prepare_or_run_pipeline`]: super::BaseOrchestrator::prepare_or_run_pipeline
    fn is_synchronous(&self) -> bool {
        true
    }

    /// Returns whether it could start runs at given times; information alone, as no run is scheduled.
    fn is_schedulable(&self) -> bool {
        false
    }
}
