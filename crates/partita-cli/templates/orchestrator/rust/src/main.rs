//! The flavor `my-flavor`, as an executable that speaks the plugin protocol.

mod config;
mod orchestrator;

use std::process::ExitCode;

use partita::plugin::{Amount, BaseOrchestratorFlavor, Supply, serve};

use config::MyFlavorOrchestratorConfig;
use orchestrator::MyFlavorOrchestrator;

struct MyFlavorOrchestratorFlavor;

impl BaseOrchestratorFlavor for MyFlavorOrchestratorFlavor {
    type Config = MyFlavorOrchestratorConfig;
    type Implementation = MyFlavorOrchestrator;

    /// What components say after `--flavor`.
    fn name(&self) -> &str {
        "my-flavor"
    }

    fn description(&self) -> &str {
        "Runs every step as a process of its own, a few at once."
    }

    /// What steps may ask for; what is not claimed is refused before anything runs.
    fn supply(&self) -> Supply {
        Supply { max_parallelism: Some(4), memory: Amount::ANY, ..Supply::default() }
    }
}

fn main() -> ExitCode {
    serve(MyFlavorOrchestratorFlavor)
}
