//! Opens the orchestrators of a run's stack.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use partita_core::launcher::StepLauncher;
use partita_core::stack::Component;
use partita_engine::step_runner::RunContext;
use partita_orchestrators::launchers::Launchers;
use partita_orchestrators::local::{self, LocalLauncher};
use partita_orchestrators::process::{self, Echo, Place, ProcessLauncher};

use super::Prepared;

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
) -> Result<Launchers, String> {
    let mut launchers: Vec<(String, Box<dyn StepLauncher>)> = Vec::new();
    for orchestrator in &prepared.stack.orchestrators {
        let filled = filled(orchestrator, context)?;
        let launcher: Box<dyn StepLauncher> = match orchestrator.flavor.as_str() {
            local::NAME => Box::new(local.clone()),
            process::NAME => {
                let place = Place {
                    context: Arc::clone(context),
                    locks: prepared.session.home().path().join("processes"),
                    interpreter: interpreter.clone(),
                    echo: Arc::clone(&echo),
                };
                let opened = ProcessLauncher::open(&filled, place);
                Box::new(opened.map_err(|error| redacted(&error.to_string(), context))?)
            }
            // Nothing here implements it, so that the compiler has let no step name it.
            _ => continue,
        };
        launchers.push((orchestrator.name.clone(), launcher));
    }
    Ok(Launchers::new(launchers))
}

/// Returns an orchestrator as its implementation gets it: with values in place of references.
fn filled<'o>(
    orchestrator: &'o Component,
    context: &RunContext,
) -> Result<Cow<'o, Component>, String> {
    let Some(secrets) = context.secrets() else { return Ok(Cow::Borrowed(orchestrator)) };
    secrets.fill_component(orchestrator).map(Cow::Owned).map_err(|error| error.to_string())
}

fn redacted(text: &str, context: &RunContext) -> String {
    context.secrets().map_or(text.into(), |secrets| secrets.redacted(text)).into_owned()
}
