//! Opens the orchestrators of a run's stack.

use std::path::PathBuf;
use std::sync::Arc;

use partita_core::launcher::StepLauncher;
use partita_engine::step_runner::RunContext;
use partita_orchestrators::launchers::Launchers;
use partita_orchestrators::local::{self, LocalLauncher};
use partita_orchestrators::process::{self, Echo, OpenError, Place, ProcessLauncher};

use super::Prepared;

/// Returns the folder that tells which runs have processes on this machine.
pub(super) fn locks(prepared: &Prepared) -> PathBuf {
    prepared.session.home().path().join("processes")
}

/// Returns the launchers of a run, those of flavor `local` being `local`.
///
/// # Errors
/// If one cannot start anything here.
pub(super) fn open(
    prepared: &Prepared,
    context: &Arc<RunContext>,
    local: &LocalLauncher,
    interpreter: PathBuf,
    echo: Arc<dyn Echo>,
) -> Result<Launchers, OpenError> {
    let mut launchers: Vec<(String, Box<dyn StepLauncher>)> = Vec::new();
    for orchestrator in &prepared.stack.orchestrators {
        let launcher: Box<dyn StepLauncher> = match orchestrator.flavor.as_str() {
            local::NAME => Box::new(local.clone()),
            process::NAME => {
                let place = Place {
                    context: Arc::clone(context),
                    locks: locks(prepared),
                    interpreter: interpreter.clone(),
                    echo: Arc::clone(&echo),
                };
                Box::new(ProcessLauncher::open(orchestrator, place)?)
            }
            // Nothing here implements it, so that the compiler has let no step name it.
            _ => continue,
        };
        launchers.push((orchestrator.name.clone(), launcher));
    }
    Ok(Launchers::new(launchers))
}
