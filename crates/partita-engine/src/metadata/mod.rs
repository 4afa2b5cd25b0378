//! The metadata store: an index of runs, and the home of the registry.
//!
//! The registry (stacks, components, flavors, secrets) is original here. Everything about runs, artifacts
//! and lineage is copied from the documents in artifact stores, so that it can be asked quickly;
//! [`Runs`] keeps the copy true and makes it again.

mod changes;
mod collect;
mod error;
mod lineage;
mod registry;
mod replay;
mod runs;
mod secrets;
mod sqlite;
#[cfg(test)]
mod tests;
mod views;
mod writer;

pub use changes::{Change, RunRecord, RunStart, StepRun};
pub use collect::{CacheEntries, Collected, Removal, collect};
pub use error::{MetadataError, Result};
pub use lineage::Artifacts;
pub use registry::{DEFAULT, Registry, Save, StackReferences};
pub(crate) use runs::write_again;
pub use runs::{Rebuilt, Runs, Stores};
pub(crate) use secrets::missing as missing_secret;
pub use secrets::{SealedSecrets, SecretRow};
pub use sqlite::SqliteMetadataStore;
pub use views::{
    ArtifactView, AttemptStatus, AttemptView, HookFailure, InputView, Lineage, LineageStep,
    OutputView, RunSummary, RunView, StepView,
};
pub use writer::IndexWriter;

use partita_core::status::RunStatus;

/// Keeps the registry, secrets and the index of runs.
pub trait MetadataStore: Registry + SealedSecrets + RunIndex {}

impl<T: Registry + SealedSecrets + RunIndex> MetadataStore for T {}

/// Which runs a list shows; everything that is not given is not asked for.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Runs of this pipeline.
    pub pipeline: Option<String>,
    /// Runs with this status.
    pub status: Option<RunStatus>,
    /// Runs with this name.
    pub name: Option<String>,
    /// Runs whose documents are in the artifact store with this URI.
    pub store: Option<String>,
    /// At most this many, the latest ones.
    pub limit: Option<usize>,
}

/// A pipeline as its author knows it. Pipelines of other folders that share its name are others,
/// and runs in other artifact stores are out of reach.
#[derive(Debug, Clone, Copy)]
pub struct PipelineAt<'a> {
    /// Its name.
    pub name: &'a str,
    /// The source root that its code lies in; absent if it was typed in.
    pub source_root: Option<&'a str>,
    /// The URI of the artifact store that it runs with.
    pub store: &'a str,
}

/// Which artifact versions a list shows; everything that is not given is not asked for.
#[derive(Debug, Clone, Default)]
pub struct VersionFilter {
    /// Versions of this artifact.
    pub artifact: Option<String>,
    /// Versions that this run made or took from the cache.
    pub run_id: Option<String>,
    /// Versions whose id begins so.
    pub id_prefix: Option<String>,
    /// At most this many, the latest ones.
    pub limit: Option<usize>,
}

/// A way to follow lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To the step that made a version.
    Upstream,
    /// To the steps that took a version.
    Downstream,
}

/// Answers questions about runs as the documents had them when it was last told.
///
/// Callers who need the truth about runs that may have died ask [`Runs`].
pub trait RunIndex: Send + Sync {
    /// Adds a run, or sets the status of one that is there.
    ///
    /// # Errors
    /// [`MetadataError::Exists`] if another run of this home has the name.
    fn start_run(&self, start: &RunStart) -> Result<()>;

    /// Records changes, all or none. Changes of runs that are not there are left out.
    ///
    /// # Errors
    /// If they could not be written.
    fn apply(&self, changes: &[Change]) -> Result<()>;

    /// Puts `record` in place of all that is known of its run, unless `holds` says at the last
    /// moment that it is out of date. Returns whether it was put.
    ///
    /// # Errors
    /// If it could not be written.
    fn replace_run(&self, record: &RunRecord, holds: &dyn Fn() -> bool) -> Result<bool>;

    /// Forgets a run, unless `holds` says at the last moment that it must stay. Returns whether
    /// it did.
    ///
    /// # Errors
    /// If it could not be written.
    fn forget_run(&self, run_id: &str, holds: &dyn Fn() -> bool) -> Result<bool>;

    /// Returns runs, latest first.
    ///
    /// # Errors
    /// If they could not be read.
    fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>>;

    /// Returns the runs that have not ended, as far as the index knows.
    ///
    /// # Errors
    /// If they could not be read.
    fn unended_runs(&self) -> Result<Vec<RunSummary>>;

    /// Returns the runs that `reference` may mean: those with that name or id, else those whose
    /// id begins so; latest first.
    ///
    /// # Errors
    /// If they could not be read.
    fn matching_runs(&self, reference: &str) -> Result<Vec<RunSummary>>;

    /// Returns a run with its steps.
    ///
    /// # Errors
    /// If it could not be read.
    fn run(&self, run_id: &str) -> Result<Option<RunView>>;

    /// Returns artifact versions, latest first, each once.
    ///
    /// # Errors
    /// If they could not be read.
    fn versions(&self, filter: &VersionFilter) -> Result<Vec<ArtifactView>>;

    /// Returns the committed steps next to an artifact version, oldest first.
    ///
    /// # Errors
    /// If they could not be read.
    fn neighbours(&self, version: &str, direction: Direction) -> Result<Vec<LineageStep>>;

    /// Returns whether the pipeline has runs besides this one.
    ///
    /// # Errors
    /// If it could not be read.
    fn has_other_runs(&self, pipeline: &PipelineAt<'_>, run_id: &str) -> Result<bool>;

    /// Returns the run and the deployment of the latest committed step run with this name, among
    /// the latest runs of the pipeline.
    ///
    /// # Errors
    /// If it could not be read.
    fn previous_step_result(
        &self,
        pipeline: &PipelineAt<'_>,
        step: &str,
    ) -> Result<Option<(String, String)>>;
}
