//! The flavor `sandbox`: every step is a child process in namespaces of its own, made by `unshare`.
//!
//! ```sh
//! cargo build
//! partita orchestrator flavor register ../../target/debug/sandbox-orchestrator
//! partita orchestrator register sandbox --flavor=sandbox
//! partita stack register sandbox -o sandbox -a default --set
//! ```

mod config;
mod entrypoint;
mod sandbox;

use std::collections::BTreeMap;
use std::process::ExitCode;

use partita::plugin::{
    Amount, BaseOrchestratorFlavor, Result, StepEntrypointConfiguration, Supply, serve,
};

use config::SandboxConfig;
use entrypoint::SandboxEntrypoint;
use sandbox::Sandbox;

struct SandboxFlavor;

impl BaseOrchestratorFlavor for SandboxFlavor {
    type Config = SandboxConfig;
    type Implementation = Sandbox;

    fn name(&self) -> &str {
        "sandbox"
    }

    fn description(&self) -> &str {
        "Runs every step as a child process in namespaces of its own."
    }

    fn supply(&self) -> Supply {
        // The step's entrypoint keeps its process to the memory that the step asks for.
        Supply { max_parallelism: Some(4), memory: Amount::ANY, ..Supply::default() }
    }

    fn entrypoint(
        &self,
        entrypoint_args: &BTreeMap<String, String>,
    ) -> Result<Box<dyn StepEntrypointConfiguration>> {
        Ok(Box::new(SandboxEntrypoint::entered(entrypoint_args)))
    }
}

fn main() -> ExitCode {
    serve(SandboxFlavor)
}
