//! The flavor `waves`: a direct orchestrator, which runs the steps of a pipeline in waves.
//!
//! ```sh
//! partita orchestrator flavor register ../../target/debug/waves-orchestrator
//! ```

use std::collections::HashMap;
use std::process::ExitCode;
use std::thread;

use partita::plugin::{
    Amount, BaseOrchestrator, BaseOrchestratorConfig, BaseOrchestratorFlavor, Environment, Error,
    PipelineDeploymentResponseModel, Result, Run, Stack, Step, Supply, serve,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// How wide waves are.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WavesConfig {
    /// Items of a mapped step that run at once.
    #[serde(default = "two")]
    #[schemars(range(min = 1))]
    items: usize,
}

fn two() -> usize {
    2
}

impl BaseOrchestratorConfig for WavesConfig {
    fn is_local(&self) -> bool {
        true
    }
}

struct WavesFlavor;

impl BaseOrchestratorFlavor for WavesFlavor {
    type Config = WavesConfig;
    type Implementation = Waves;

    fn name(&self) -> &str {
        "waves"
    }

    fn description(&self) -> &str {
        "Runs at once what depends on the steps before, wave by wave."
    }

    fn supply(&self) -> Supply {
        // The step's entrypoint keeps its process to the memory that the step asks for.
        Supply { memory: Amount::ANY, ..Supply::default() }
    }
}

struct Waves {
    run: Run,
    config: WavesConfig,
}

impl BaseOrchestrator for Waves {
    type Config = WavesConfig;

    fn new(run: Run, config: WavesConfig) -> Result<Self> {
        Ok(Self { run, config })
    }

    fn run(&self) -> &Run {
        &self.run
    }

    fn prepare_or_run_pipeline(
        &self,
        deployment: &PipelineDeploymentResponseModel,
        _stack: &Stack,
        _environment: &Environment,
    ) -> Result<Option<String>> {
        let waves = waves(deployment);
        for wave in &waves {
            self.run_at_once(wave)?;
        }
        let names =
            waves.iter().map(|wave| wave.iter().map(|step| step.name()).collect::<Vec<_>>());
        Ok(Some(names.map(|names| names.join(" ")).collect::<Vec<_>>().join("\n")))
    }
}

impl Waves {
    /// Runs steps that do not depend on one another.
    fn run_at_once(&self, wave: &[&Step]) -> Result<()> {
        thread::scope(|scope| {
            // Whoever runs a mapped step gets one item after another, so that several get several.
            let steps = wave.iter().flat_map(|step| vec![*step; self.config.items]);
            let threads: Vec<_> =
                steps.map(|step| scope.spawn(move || self.run_step(step))).collect();
            let panicked = |_| Err(Error::failed("a step could not be waited for"));
            let mut ends = threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked));
            ends.try_for_each(|end| end)
        })
    }
}

/// Returns the steps that depend on none, then those that depend on these alone, and so on.
fn waves(deployment: &PipelineDeploymentResponseModel) -> Vec<Vec<&Step>> {
    let mut waves: Vec<Vec<&Step>> = Vec::new();
    let mut of_step = HashMap::new();
    for step in deployment.steps.values() {
        let upstream = step.spec.upstream_steps.iter();
        let wave = upstream.map(|name| of_step[name.as_str()] + 1).max().unwrap_or(0);
        of_step.insert(step.name(), wave);
        waves.resize_with(waves.len().max(wave + 1), Vec::new);
        waves[wave].push(step);
    }
    waves
}

fn main() -> ExitCode {
    serve(WavesFlavor)
}
