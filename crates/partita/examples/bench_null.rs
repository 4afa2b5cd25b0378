//! An orchestrator whose jobs have ended when they begin, for `make bench`.

use std::process::ExitCode;

use partita::plugin::{
    Attempt, BaseOrchestratorConfig, BaseOrchestratorFlavor, Capability, Environment, JobReport,
    JobStatus, Resources, Result, Run, StepLauncher, serve,
};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct NullConfig {}

impl BaseOrchestratorConfig for NullConfig {}

struct NullFlavor;

impl BaseOrchestratorFlavor for NullFlavor {
    type Config = NullConfig;
    type Implementation = Null;

    fn name(&self) -> &str {
        "null"
    }
}

struct Null;

impl StepLauncher for Null {
    type Config = NullConfig;

    const CAPABILITIES: &[Capability] = &[Capability::Wait];

    fn new(_: Run, _: NullConfig) -> Result<Self> {
        Ok(Self)
    }

    fn launch(
        &self,
        attempt: &Attempt,
        _: &[String],
        _: &Environment,
        _: &Resources,
    ) -> Result<String> {
        Ok(attempt.id.clone())
    }

    fn poll(&self, _: &str) -> Result<JobReport> {
        Ok(JobStatus::Completed.into())
    }

    fn cancel(&self, _: &str) -> Result<()> {
        Ok(())
    }

    fn wait(&self, _: &str) -> Result<JobReport> {
        Ok(JobStatus::Completed.into())
    }
}

fn main() -> ExitCode {
    serve(NullFlavor)
}
