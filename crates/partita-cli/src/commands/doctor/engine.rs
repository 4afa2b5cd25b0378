//! Checks that the engines are there that steps of the active stack run on.

use partita_cli::session::Session;
use partita_orchestrators::docker;

use super::Check;
use crate::error::CommandError;

/// Returns a check for each orchestrator of flavor `docker`. What is wrong with the stack itself is said
/// elsewhere.
pub(super) fn checks(session: &Session) -> Vec<Check> {
    let stack = session.stack(None).ok();
    let orchestrators = stack.into_iter().flat_map(|stack| stack.orchestrators);
    let of_docker = orchestrators.filter(|orchestrator| orchestrator.flavor == docker::NAME);
    let found = of_docker.map(|orchestrator| docker::found(&orchestrator));
    found.map(|found| Check::of("engine", found.map_err(CommandError::from))).collect()
}
