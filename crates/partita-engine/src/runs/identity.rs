//! What a run's orchestrator calls it.

use std::sync::Arc;

use partita_core::run::RunHeader;

use crate::metadata::{Change, IndexWriter};
use crate::step_runner::RunContext;
use crate::store::{StoreError, encode, layout};

/// Records the id that the orchestrator of a run has for it.
#[derive(Clone)]
pub struct Identity {
    pub(super) header: RunHeader,
    pub(super) context: Arc<RunContext>,
    pub(super) index: Arc<IndexWriter>,
}

impl Identity {
    /// Records an id, in place of the run's own or of an earlier one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn record(&self, orchestrator_run_id: &str) -> Result<(), StoreError> {
        let orchestrator_run_id = orchestrator_run_id.to_owned();
        let store = &*self.context.store;
        let path = layout::run_header(&self.header.id);
        let header =
            RunHeader { orchestrator_run_id: orchestrator_run_id.clone(), ..self.header.clone() };
        store.write(&path, encode(store, &path, &header)?.into())?;
        let run_id = Arc::clone(&self.context.run_id);
        self.index.record(Change::RunIdentified { run_id, orchestrator_run_id });
        Ok(())
    }
}
