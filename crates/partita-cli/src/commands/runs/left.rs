//! Ends what an engine that died has left of a run: its containers run on without one.

use partita_engine::metadata::RunSummary;
use partita_engine::store::{ArtifactStore, Documents};
use partita_orchestrators::docker;

use crate::error::CommandError;

/// Ends the containers of a run that no engine drives, and returns how many still ran.
///
/// # Errors
/// If an engine has just taken it, its deployment cannot be read, or they cannot be ended.
pub(super) fn end(run: &RunSummary, store: &dyn ArtifactStore) -> Result<usize, CommandError> {
    let _lease = store.lease(&run.id)?;
    let deployment = Documents::new(store).deployment(&run.deployment_id)?;
    Ok(docker::end_left(&deployment.stack, &run.id)?)
}
