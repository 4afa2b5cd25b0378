//! Removes from an artifact store what nothing refers to any more.
//!
//! What may go is listed before what must stay, so that whatever a live run adds meanwhile is
//! never among it. A run that begins may rely on what nothing refers to yet, such as a deployment
//! that is there already: it holds the store until its own documents say so, and collection and
//! such holds exclude each other.

use std::collections::HashSet;

use partita_core::artifact::{ArtifactVersion, Manifest};
use partita_core::deployment::{Deployment, Input};
use partita_core::run::{StepResult, VERSION};

use super::error::Result;
use super::runs::is_live;
use crate::store::layout::{self, StepFile};
use crate::store::{ArtifactStore, Documents, StoreError, read_document};

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// Artifact versions that no commit and no cache entry refers to.
    pub artifact_versions: usize,
    /// Cache entries whose artifacts are gone, that were cut off, or that no run has.
    pub cache_entries: usize,
    /// Archives of code, while no run goes on.
    pub code: usize,
    /// Deployments that no run names.
    pub deployments: usize,
    /// What is left of runs whose deletion did not end.
    pub runs: usize,
    /// Folders of artifact versions that were never finished.
    pub staging: usize,
    /// Bytes of all artifact versions, cache entries, deployments and archives of code that were removed.
    pub bytes: u64,
}

/// What is done with what nothing refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is removed.
    Removed,
    /// It is counted, and nothing changes.
    Counted,
}

/// Which cache entries stay, and with them their artifact versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheEntries {
    /// All that are whole.
    Whole,
    /// Those with outputs that a run made or took.
    OfRuns,
}

impl Removal {
    fn of(self, store: &dyn ArtifactStore, path: &str) -> Result<()> {
        match self {
            Self::Removed => Ok(store.delete(path)?),
            Self::Counted => Ok(()),
        }
    }
}

/// Removes what nothing refers to, or only counts it: artifact versions, cache entries, deployments, and what crashes
/// left behind. Whatever a run that is driven now may need stays.
///
/// # Errors
/// [`StoreError::Beginning`] if a run is just beginning. If the store fails or a document that
/// says what is needed cannot be read; nothing that it may refer to has been removed then.
pub fn collect(
    store: &dyn ArtifactStore,
    removal: Removal,
    entries: CacheEntries,
) -> Result<Collected> {
    let _collecting = match store.collecting() {
        Ok(collecting) => collecting,
        Err(StoreError::NotFound { .. }) => return Ok(Collected::default()),
        Err(error) => return Err(error.into()),
    };
    let candidates = Candidates::list(store)?;
    let mut needs = Needs::default();
    let mut collected = Collected::default();
    for run_id in Documents::new(store).run_ids()? {
        collected.runs += usize::from(needs.add_run(store, &run_id, removal)?);
    }
    for name in store.list("cache")? {
        match needs.add_cache_entry(store, &format!("cache/{name}"), removal, entries)? {
            None => {}
            Some(bytes) => {
                collected.cache_entries += 1;
                collected.bytes += bytes;
            }
        }
    }
    candidates.remove(store, &needs, removal, &mut collected)?;
    Ok(collected)
}

/// What was there before anything was found to be needed.
struct Candidates {
    staging: Vec<String>,
    code: Vec<String>,
    deployments: Vec<String>,
    artifacts: Vec<String>,
}

impl Candidates {
    fn list(store: &dyn ArtifactStore) -> Result<Self> {
        let staging = paths(store, layout::STAGING)?;
        let code = paths(store, layout::CODE)?;
        let deployments = paths(store, "deployments")?;
        let mut artifacts = Vec::new();
        for artifact in paths(store, "artifacts")? {
            artifacts.extend(paths(store, &artifact)?);
        }
        Ok(Self { staging, code, deployments, artifacts })
    }

    fn remove(
        self,
        store: &dyn ArtifactStore,
        needs: &Needs,
        removal: Removal,
        collected: &mut Collected,
    ) -> Result<()> {
        for path in self.artifacts.iter().filter(|path| !needs.artifacts.contains(*path)) {
            let Some(bytes) = size_if_dead(store, path, needs)? else { continue };
            removal.of(store, path)?;
            collected.artifact_versions += 1;
            collected.bytes += bytes;
        }
        for path in self.deployments.iter().filter(|path| !needs.deployments.contains(*path)) {
            collected.bytes += store.read(path)?.len() as u64;
            removal.of(store, path)?;
            collected.deployments += 1;
        }
        if needs.live.is_empty() {
            for path in &self.staging {
                removal.of(store, path)?;
                collected.staging += 1;
            }
            // Whoever needs code again packs it again.
            for path in &self.code {
                collected.bytes += store.read(path)?.len() as u64;
                removal.of(store, path)?;
                collected.code += 1;
            }
        }
        Ok(())
    }
}

/// Returns the paths of the commits of a run's steps and of their items.
fn commits(store: &dyn ArtifactStore, run_id: &str) -> Result<Vec<String>> {
    let steps = layout::steps(run_id);
    let mut commits = Vec::new();
    for name in store.list(&steps)? {
        match layout::step_file(&name) {
            Some((_, StepFile::Commit)) => commits.push(format!("{steps}/{name}")),
            Some((_, StepFile::Items)) => {
                let folder = format!("{steps}/{}", name.trim_end_matches('/'));
                let names = store.list(&folder)?;
                let is_commit =
                    |name: &&String| matches!(layout::item_file(name), Some((_, StepFile::Commit)));
                commits
                    .extend(names.iter().filter(is_commit).map(|name| format!("{folder}/{name}")));
            }
            Some((_, StepFile::Attempt(_))) | None => {}
        }
    }
    Ok(commits)
}

/// Returns the paths directly under `folder`.
fn paths(store: &dyn ArtifactStore, folder: &str) -> Result<Vec<String>> {
    let names = store.list(folder)?;
    Ok(names.iter().map(|name| format!("{folder}/{}", name.trim_end_matches('/'))).collect())
}

/// Returns the bytes of an artifact version that nothing refers to, unless its run still goes on.
fn size_if_dead(store: &dyn ArtifactStore, path: &str, needs: &Needs) -> Result<Option<u64>> {
    let bytes = match store.read(&format!("{path}/manifest.json")) {
        Ok(bytes) => bytes,
        // Without a manifest it was never whole; only a run that goes on may still need it.
        Err(StoreError::NotFound { .. }) => return Ok(needs.live.is_empty().then_some(0)),
        Err(error) => return Err(error.into()),
    };
    let Ok(manifest) = serde_json::from_slice::<Manifest>(&bytes) else {
        return Ok(needs.live.is_empty().then_some(bytes.len() as u64));
    };
    let size: u64 = manifest.files.iter().map(|file| file.size).sum();
    Ok((!needs.live.contains(&manifest.run_id)).then_some(size + bytes.len() as u64))
}

/// What runs and cache entries refer to, as paths in the store.
#[derive(Default)]
struct Needs {
    live: HashSet<String>,
    deployments: HashSet<String>,
    artifacts: HashSet<String>,
    /// The ids of the artifact versions that runs made or took from the cache.
    versions: HashSet<String>,
}

impl Needs {
    /// Adds what a run refers to. Returns whether it was only the rest of a deleted run, which goes.
    fn add_run(
        &mut self,
        store: &dyn ArtifactStore,
        run_id: &str,
        removal: Removal,
    ) -> Result<bool> {
        let documents = Documents::new(store);
        if is_live(store, run_id) || documents.is_submitted(run_id)? {
            self.live.insert(run_id.to_owned());
        }
        let header = match documents.run_header(run_id) {
            Ok(header) => header,
            Err(StoreError::NotFound { .. }) => return remove_rest(store, run_id, removal),
            Err(error) => return Err(error.into()),
        };
        if self.deployments.insert(layout::deployment(&header.deployment_id)) {
            match documents.deployment(&header.deployment_id) {
                Ok(deployment) => self.add_deployment(&deployment),
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        for path in commits(store, run_id)? {
            match store.read(&path) {
                Ok(bytes) => self.add_result(&parse(store, &path, &bytes)?),
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    fn add_deployment(&mut self, deployment: &Deployment) {
        for input in deployment.steps.iter().flat_map(|step| step.inputs.values()) {
            self.add_input(input);
        }
    }

    fn add_input(&mut self, input: &Input) {
        match input {
            Input::Artifact(version) => self.add_version(version),
            Input::Value(_) | Input::Output(_) => {}
            Input::List(items) | Input::Tuple(items) => {
                items.iter().for_each(|item| self.add_input(item))
            }
            Input::Dict(items) => items.values().for_each(|item| self.add_input(item)),
        }
    }

    fn add_result(&mut self, result: &StepResult) {
        for version in result.outputs.values() {
            self.add_version(version);
        }
        let inputs = result.inputs.values();
        self.artifacts
            .extend(inputs.map(|input| layout::artifact_folder(&input.artifact, &input.id)));
    }

    fn add_version(&mut self, version: &ArtifactVersion) {
        self.versions.insert(version.id.clone());
        version.items.iter().flat_map(|items| items.iter()).for_each(|item| {
            self.versions.insert(item.id.clone());
        });
        version.visit_folders(&mut |part| {
            self.artifacts.insert(layout::artifact(part));
        });
    }

    fn is_of_runs(&self, version: &ArtifactVersion) -> bool {
        let mut items = version.items.iter().flat_map(|items| items.iter());
        self.versions.contains(&version.id) || items.any(|item| self.is_of_runs(item))
    }

    /// Adds what a cache entry refers to, or removes an entry that is of no use and returns its
    /// bytes. What runs refer to has been added before.
    fn add_cache_entry(
        &mut self,
        store: &dyn ArtifactStore,
        path: &str,
        removal: Removal,
        entries: CacheEntries,
    ) -> Result<Option<u64>> {
        let bytes = match store.read(path) {
            Ok(bytes) => bytes,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let is_cut_off = serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_err();
        if !is_cut_off {
            let entry = parse(store, path, &bytes)?;
            let mut folders = Vec::new();
            for version in entry.outputs.values() {
                version.visit_folders(&mut |part| folders.push(layout::artifact(part)));
            }
            let is_whole = folders.iter().try_fold(true, |is_whole, folder| {
                store.list(folder).map(|files| is_whole && !files.is_empty())
            })?;
            let is_of_runs = entry.outputs.is_empty()
                || entry.outputs.values().any(|version| self.is_of_runs(version));
            if is_whole && (is_of_runs || entries == CacheEntries::Whole) {
                self.artifacts.extend(folders);
                return Ok(None);
            }
        }
        removal.of(store, path)?;
        Ok(Some(bytes.len() as u64))
    }
}

/// Removes what a deletion that did not end has left of a run. Returns whether it did.
fn remove_rest(store: &dyn ArtifactStore, run_id: &str, removal: Removal) -> Result<bool> {
    if removal == Removal::Counted {
        return Ok(!is_live(store, run_id));
    }
    // Whoever has the lease is about to write the header.
    let Ok(lease) = store.lease(run_id) else { return Ok(false) };
    let is_rest =
        matches!(Documents::new(store).run_header(run_id), Err(StoreError::NotFound { .. }));
    if is_rest {
        store.delete(&layout::run(run_id))?;
    }
    drop(lease);
    Ok(is_rest)
}

fn parse(store: &dyn ArtifactStore, path: &str, bytes: &[u8]) -> Result<StepResult> {
    let parsed = read_document(bytes, VERSION).map_err(|(reason, help)| StoreError::BadDocument {
        path: path.to_owned(),
        uri: store.uri().to_owned(),
        reason,
        help,
    });
    Ok(parsed?)
}
