//! Answers about runs that are true: whatever may have died is looked up in its documents first.

use std::collections::HashSet;
use std::sync::Arc;

use partita_core::name;
use partita_core::run::{Event, EventKind};
use partita_core::status::RunStatus;

use super::error::{MetadataError, Result};
use super::replay::{Replayed, replay};
use super::{Change, HookFailure, RunFilter, RunIndex, RunSummary, RunView};
use crate::store::{ArtifactStore, Documents, LeaseState, StoreError, layout};

/// Runs whose names are compared with one that does not exist.
const NAMES: usize = 1000;

/// Opens the artifact stores that runs are kept in.
pub trait Stores {
    /// Returns the artifact store with this URI.
    ///
    /// # Errors
    /// If it cannot be opened here and now.
    fn open(&self, uri: &str) -> std::result::Result<Arc<dyn ArtifactStore>, StoreError>;
}

impl<F: Fn(&str) -> std::result::Result<Arc<dyn ArtifactStore>, StoreError>> Stores for F {
    fn open(&self, uri: &str) -> std::result::Result<Arc<dyn ArtifactStore>, StoreError> {
        self(uri)
    }
}

/// What a rebuild did.
#[derive(Debug, Default)]
pub struct Rebuilt {
    /// Runs made again.
    pub runs: usize,
    /// Runs left alone because their engine is writing to the index now.
    pub live: usize,
    /// Runs forgotten because their documents are gone.
    pub forgotten: usize,
    /// Documents that could not be read.
    pub problems: Vec<StoreError>,
}

/// Runs, by an index and the artifact stores that it is the index of.
pub struct Runs<'a> {
    index: &'a dyn RunIndex,
    stores: &'a dyn Stores,
}

impl<'a> Runs<'a> {
    /// Returns the runs in `index`, whose documents are in `stores`.
    pub fn new(index: &'a dyn RunIndex, stores: &'a dyn Stores) -> Self {
        Self { index, stores }
    }

    /// Returns runs, latest first.
    ///
    /// # Errors
    /// If the index fails.
    pub fn list(&self, filter: &RunFilter) -> Result<Vec<RunSummary>> {
        self.settle()?;
        self.index.runs(filter)
    }

    /// Returns the run that `reference` means, with its steps and what only its documents say; see
    /// [`Self::find`].
    ///
    /// # Errors
    /// As for [`Self::find`]; [`StoreError::BadDocument`] if its steps are not known because its
    /// deployment is damaged or missing.
    pub fn get(&self, reference: &str) -> Result<RunView> {
        let settled = self.settle()?;
        let found = self.named(reference)?;
        if found.status == RunStatus::Interrupted
            && !settled.contains(&found.id)
            && let Ok(store) = self.stores.open(&found.store)
        {
            // Its last processes may have ended after it was brought up to date.
            self.refresh(&*store, &found.id)?;
        }
        let view = match self.index.run(&found.id)? {
            Some(view) if view.steps.is_empty() => self.with_steps(&view)?,
            view => view,
        };
        let Some(mut view) = view else { return self.unknown(reference) };
        if let Ok(store) = self.stores.open(&view.store) {
            fill(&mut view, &Documents::new(&*store));
        }
        Ok(view)
    }

    /// Returns a run that the index knows no steps of, once its deployment can be read again.
    fn with_steps(&self, view: &RunView) -> Result<Option<RunView>> {
        let store = self.stores.open(&view.store)?;
        let deployment = Documents::new(&*store).deployment(&view.deployment_id);
        deployment.map_err(|error| match error {
            StoreError::NotFound { path, uri } => StoreError::BadDocument {
                path,
                uri,
                reason: "it is missing".to_owned(),
                help: "restore the file, or delete the runs that executed it".to_owned(),
            },
            error => error,
        })?;
        self.refresh(&*store, &view.id)?;
        self.index.run(&view.id)
    }

    /// Returns the run that `reference` means: its name, its id, an unambiguous beginning of its
    /// id, or `latest`.
    ///
    /// # Errors
    /// [`MetadataError::NotFound`] or [`MetadataError::Ambiguous`].
    pub fn find(&self, reference: &str) -> Result<RunSummary> {
        self.settle()?;
        self.named(reference)
    }

    fn named(&self, reference: &str) -> Result<RunSummary> {
        let mut found = if reference == name::LATEST_RUN {
            self.index.runs(&RunFilter { limit: Some(1), ..RunFilter::default() })?
        } else {
            self.index.matching_runs(reference)?
        };
        match found.len() {
            0 => self.unknown(reference),
            1 => Ok(found.swap_remove(0)),
            _ => Err(MetadataError::Ambiguous {
                what: "runs".to_owned(),
                reference: reference.to_owned(),
                candidates: found
                    .iter()
                    .map(|run| format!("`{}` ({})", run.id, run.name))
                    .collect(),
            }),
        }
    }

    fn unknown<T>(&self, reference: &str) -> Result<T> {
        let runs = self.index.runs(&RunFilter { limit: Some(NAMES), ..RunFilter::default() })?;
        let help = match runs.as_slice() {
            [] => "no pipeline has run in this home; `partita run FILE` runs one",
            _ => "`partita runs list` shows them all",
        };
        Err(MetadataError::NotFound {
            what: "run".to_owned(),
            name: reference.chars().take(name::NAME_LENGTH).collect(),
            nearest: name::nearest(reference, runs.iter().map(|run| run.name.as_str()))
                .map(str::to_owned),
            help: help.to_owned(),
        })
    }

    /// Brings every run up to date that has not ended and that no engine drives; returns their ids.
    ///
    /// A run whose store cannot be asked stays as it is.
    fn settle(&self) -> Result<Vec<String>> {
        let mut settled = Vec::new();
        for run in self.index.unended_runs()? {
            if let Ok(store) = self.stores.open(&run.store)
                && matches!(store.lease_state(&run.id), Ok(LeaseState::Free))
            {
                self.refresh(&*store, &run.id)?;
                settled.push(run.id);
            }
        }
        Ok(settled)
    }

    /// Makes a run's rows again from its documents in `store`, or forgets it if it has none. A run
    /// that an engine drives is left to that engine.
    ///
    /// # Errors
    /// If the index fails.
    pub fn refresh(&self, store: &dyn ArtifactStore, run_id: &str) -> Result<()> {
        let is_driven = || is_live(store, run_id);
        if is_driven() {
            return Ok(());
        }
        match replay(store, run_id, false) {
            Ok(Some(replayed)) => self.index.replace_run(&replayed.record, &is_driven).map(drop),
            Ok(None) => self.index.forget_run(run_id, &is_driven).map(drop),
            Err(error) => self.index.apply(&[Change::RunInterrupted {
                run_id: Arc::from(run_id),
                error: Some(error.to_string()),
            }]),
        }
    }

    /// Makes the rows of every run in `store` again from its documents alone, and forgets runs
    /// that it no longer has.
    ///
    /// # Errors
    /// If the store cannot be listed or the index fails; damaged documents are told in the result.
    pub fn rebuild(&self, store: &dyn ArtifactStore) -> Result<Rebuilt> {
        let mut rebuilt = Rebuilt::default();
        let mut present = HashSet::new();
        for run_id in Documents::new(store).run_ids()? {
            let was_live = is_live(store, &run_id);
            if was_live && self.index.run(&run_id)?.is_some() {
                rebuilt.live += 1;
                present.insert(run_id);
                continue;
            }
            match replay(store, &run_id, was_live) {
                Ok(None) => {}
                Ok(Some(Replayed { record, problems })) => {
                    let holds = || !was_live && is_live(store, &run_id);
                    rebuilt.runs += usize::from(self.index.replace_run(&record, &holds)?);
                    rebuilt.problems.extend(problems);
                    present.insert(record.start.header.id);
                }
                Err(error) => {
                    rebuilt.problems.push(error);
                    present.insert(run_id);
                }
            }
        }
        let kept_here = RunFilter { store: Some(store.uri().to_owned()), ..RunFilter::default() };
        for run in self.index.runs(&kept_here)? {
            // One that began meanwhile has an engine, or a header.
            let holds = || is_live(store, &run.id) || has_header(store, &run.id);
            if !present.contains(&run.id) && self.index.forget_run(&run.id, &holds)? {
                rebuilt.forgotten += 1;
            }
        }
        Ok(rebuilt)
    }

    /// Deletes the run that `reference` means, and returns it. Its artifacts stay until
    /// [`super::collect`] finds that nothing refers to them.
    ///
    /// # Errors
    /// As for [`Self::find`]; [`StoreError::LeaseHeld`] if an engine drives it.
    pub fn delete(&self, reference: &str) -> Result<RunSummary> {
        let run = self.find(reference)?;
        let store = self.stores.open(&run.store)?;
        let lease = store.lease(&run.id)?;
        if Documents::new(&*store).is_submitted(&run.id)? {
            return Err(MetadataError::Submitted(run.name));
        }
        // Without its header a run is no run, so what a crash leaves behind is never seen.
        store.delete(&layout::run_header(&run.id))?;
        store.delete(&layout::run(&run.id))?;
        drop(lease);
        self.index.forget_run(&run.id, &|| false)?;
        Ok(run)
    }
}

/// Makes the rows of a run again from its documents; for the engine that has its lease, as long or
/// as soon as nothing happens in it.
///
/// # Errors
/// If the documents cannot be read, or the index fails.
pub(crate) fn write_again(
    index: &dyn RunIndex,
    store: &dyn ArtifactStore,
    run_id: &str,
) -> Result<()> {
    if let Some(replayed) = replay(store, run_id, false)? {
        index.replace_run(&replayed.record, &|| false)?;
    }
    Ok(())
}

/// Returns whether an engine drives a run; a store that cannot say is taken to mean that one does.
pub(super) fn is_live(store: &dyn ArtifactStore, run_id: &str) -> bool {
    !matches!(store.lease_state(run_id), Ok(LeaseState::Free))
}

/// Returns whether a run has its header, without which it is none; one that cannot be read counts.
fn has_header(store: &dyn ArtifactStore, run_id: &str) -> bool {
    !matches!(store.read(&layout::run_header(run_id)), Err(StoreError::NotFound { .. }))
}

/// Adds what only documents say; what cannot be read is left out.
fn fill(view: &mut RunView, documents: &Documents<'_>) {
    let deployment = documents.deployment(&view.deployment_id).ok();
    view.parameters = deployment.map(|deployment| deployment.pipeline.parameters);
    for Event { at, kind } in documents.events(&view.id).unwrap_or_default() {
        match kind {
            EventKind::Resumed => view.resumed_at.push(at),
            EventKind::HookFailed { step, item, hook, error } => {
                view.hook_failures.push(HookFailure { at, step, item, hook, error });
            }
            _ => {}
        }
    }
}
