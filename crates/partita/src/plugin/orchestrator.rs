//! The ways to be an orchestrator, as `serve` tells them apart.

use partita_plugin::frame::RpcError;
use partita_plugin::message::{Opened, Supply};
use serde_json::Value;

use super::channel::Channel;
use super::{BaseOrchestratorConfig, Run};

/// An orchestrator, in either way to be one: whatever implements [`BaseOrchestrator`], which goes
/// through the steps by itself, or [`StepLauncher`], which starts one when it is told to. What
/// implements both or neither is no orchestrator, and does not compile:
///
/// ```compile_fail
/// # use partita::plugin::*;
/// # #[derive(serde::Deserialize, schemars::JsonSchema)]
/// # struct Config {}
/// # impl BaseOrchestratorConfig for Config {}
/// struct Neither;
///
/// struct Flavor;
///
/// impl BaseOrchestratorFlavor for Flavor {
///     type Config = Config;
///     type Implementation = Neither;
///
///     fn name(&self) -> &str {
///         "neither"
///     }
/// }
///
/// fn main() -> std::process::ExitCode {
///     serve(Flavor) // `Neither` is no orchestrator
/// }
/// ```
///
/// [`BaseOrchestrator`]: super::BaseOrchestrator
/// [`StepLauncher`]: super::StepLauncher
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no orchestrator",
    note = "implement `BaseOrchestrator` for it, to go through the steps of a pipeline, or `StepLauncher`, to start one step when it is told to"
)]
pub trait Orchestrator<Way>: Sized + Send + Sync + 'static {
    /// The type of its configuration.
    type Config: BaseOrchestratorConfig;

    /// Returns the words of the plugin protocol for what it can do.
    #[doc(hidden)]
    fn capabilities() -> Vec<&'static str>;

    /// Returns what keeps a configuration from being used with what its flavor claims.
    #[doc(hidden)]
    fn contradiction(config: Option<&Self::Config>, supply: &Supply) -> Option<&'static str>;

    /// Makes the orchestrator of a run, and returns what answers for it.
    #[doc(hidden)]
    fn open(opening: Opening<Self::Config>) -> Result<Box<dyn Serving>, RpcError>;
}

/// What an orchestrator is made with.
pub struct Opening<Config> {
    pub(super) run: Run,
    pub(super) config: Config,
    pub(super) supply: Supply,
    pub(super) channel: Channel,
}

/// Answers for the orchestrator of a run.
pub trait Serving {
    /// Returns what is told of it.
    fn opened(&self) -> Opened;

    /// Answers a request.
    fn answer(&mut self, id: &Value, method: &str, params: Value) -> Answered;

    /// Ends what has not ended, since nobody listens any more; returns whether what this process
    /// has started here is left.
    fn end(&mut self) -> bool;
}

/// What has become of a request.
pub enum Answered {
    /// This is the answer.
    Now(Result<Value, RpcError>),
    /// It is answered when that is known.
    Later,
}
