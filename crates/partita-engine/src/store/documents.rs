//! Typed reading of the documents in an artifact store.

use std::collections::{BTreeMap, BTreeSet};

use partita_core::deployment::{self, Deployment, InvalidDeployment};
use partita_core::launcher::Unit;
use partita_core::run::{self, EndedBy, Event, RunEnd, RunHeader, StepResult, Submission};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::layout::{self, StepFile};
use super::{ArtifactStore, Result, StoreError};

/// The largest document that is read, in bytes.
const SIZE_LIMIT: usize = 256 << 20;

/// What to do about a damaged document.
const MEND: &str =
    "it was cut off or edited; delete the run that it belongs to, or restore the file";

/// Reads the documents of an artifact store.
#[derive(Clone, Copy)]
pub struct Documents<'a> {
    store: &'a dyn ArtifactStore,
}

/// What a step, or an item of it, has left in a run.
#[derive(Debug, Default)]
pub struct LeftByStep {
    /// Whether it is committed.
    pub committed: bool,
    /// The attempts that left a result or a log.
    pub attempts: BTreeSet<u32>,
    /// What the items of a mapped step have left.
    pub items: BTreeMap<u32, LeftByStep>,
}

impl LeftByStep {
    fn add(&mut self, file: StepFile) {
        match file {
            StepFile::Commit => self.committed = true,
            StepFile::Attempt(number) => drop(self.attempts.insert(number)),
            StepFile::Items => {}
        }
    }
}

/// Parses a document, refusing versions other than `version`.
///
/// # Errors
/// What is wrong with it and what to do, in that order.
pub fn read_document<T: DeserializeOwned>(
    bytes: &[u8],
    version: u32,
) -> std::result::Result<T, (String, String)> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let mend = || MEND.to_owned();
    if bytes.len() > SIZE_LIMIT {
        return Err((
            format!("it has {} bytes; at most {SIZE_LIMIT} are read", bytes.len()),
            mend(),
        ));
    }
    let found: Version =
        serde_json::from_slice(bytes).map_err(|error| (error.to_string(), mend()))?;
    if found.version != version {
        return Err(other_version(found.version.into(), version));
    }
    serde_json::from_slice(bytes).map_err(|error| (error.to_string(), mend()))
}

/// Returns the bytes of a document that will be at `path`.
///
/// # Errors
/// If it cannot be written as JSON, which is a bug in Partita.
pub(crate) fn encode<T: Serialize>(
    store: &dyn ArtifactStore,
    path: &str,
    document: &T,
) -> Result<Vec<u8>> {
    serde_json::to_vec(document).map_err(|error| StoreError::BadDocument {
        path: path.to_owned(),
        uri: store.uri().to_owned(),
        reason: error.to_string(),
        help: "this is a bug in Partita".to_owned(),
    })
}

/// Returns what is wrong with a document of another version, and what to do.
fn other_version(found: u64, known: u32) -> (String, String) {
    let reason = format!("it has version {found}, and this Partita reads version {known}");
    (reason, "use the Partita that wrote it, or a newer one".to_owned())
}

impl<'a> Documents<'a> {
    /// Returns a reader of `store`.
    pub fn new(store: &'a dyn ArtifactStore) -> Self {
        Self { store }
    }

    /// Reads a deployment.
    ///
    /// # Errors
    /// If it is missing, damaged or of another version.
    pub fn deployment(&self, id: &str) -> Result<Deployment> {
        let path = layout::deployment(id);
        Deployment::read(&self.store.read(&path)?).map_err(|error| match error {
            InvalidDeployment::UnknownVersion(found) => {
                let (reason, help) = other_version(found, deployment::VERSION);
                let uri = self.store.uri().to_owned();
                StoreError::BadDocument { path, uri, reason, help }
            }
            error => self.bad(&path, error.to_string()),
        })
    }

    /// Reads a run's header.
    ///
    /// # Errors
    /// If it is missing, damaged or of another version.
    pub fn run_header(&self, run_id: &str) -> Result<RunHeader> {
        self.read(&layout::run_header(run_id), run::VERSION)
    }

    /// Reads a run's end, if it has ended.
    ///
    /// # Errors
    /// If it is damaged or of another version.
    pub fn run_end(&self, run_id: &str) -> Result<Option<RunEnd>> {
        present(self.read(&layout::run_end(run_id), run::VERSION))
    }

    /// Reads what says that an orchestrator goes through a run by itself, if one does.
    ///
    /// # Errors
    /// If it is damaged or of another version.
    pub fn submission(&self, run_id: &str) -> Result<Option<Submission>> {
        present(self.read(&layout::submission(run_id), run::VERSION))
    }

    /// Returns whether a run was submitted, and has not ended: it goes on without an engine.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn is_submitted(&self, run_id: &str) -> Result<bool> {
        Ok(self.needs_no_engine(run_id)? && self.run_end(run_id)?.is_none())
    }

    /// Returns whether no engine is to be expected in a run until it ends; asked before its end is
    /// read, so that one that ends meanwhile is not taken for one whose engine died.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn needs_no_engine(&self, run_id: &str) -> Result<bool> {
        let submission = self.submission(run_id)?;
        Ok(submission.is_some_and(|submission| submission.ends == EndedBy::Entrypoint))
    }

    /// Reads a run's events, in order. A line that a crash or a full disk cut off is left out.
    ///
    /// # Errors
    /// If they cannot be read or a line is damaged.
    pub fn events(&self, run_id: &str) -> Result<Vec<Event>> {
        let path = layout::events(run_id);
        let Some(bytes) = present(self.store.read(&path))? else {
            return Ok(Vec::new());
        };
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut events = Vec::new();
        for line in bytes[..whole].split(|byte| *byte == b'\n') {
            match serde_json::from_slice(line) {
                Ok(event) => events.push(event),
                // An empty line ends before it begins.
                Err(error) if error.is_eof() => {}
                Err(error) => return Err(self.bad(&path, error.to_string())),
            }
        }
        Ok(events)
    }

    /// Reads the commit of a step or an item, if it has one.
    ///
    /// # Errors
    /// If it is damaged or of another version.
    pub fn commit(
        &self,
        run_id: &str,
        of: impl Into<Unit>,
        step: &str,
    ) -> Result<Option<StepResult>> {
        present(self.read(&layout::commit(run_id, of, step), run::VERSION))
    }

    /// Reads the result of an attempt that did not succeed, if it has one.
    ///
    /// # Errors
    /// If it is damaged or of another version.
    pub fn result(
        &self,
        run_id: &str,
        of: impl Into<Unit>,
        step: &str,
        number: u32,
    ) -> Result<Option<StepResult>> {
        present(self.read(&layout::result(run_id, of, step, number), run::VERSION))
    }

    /// Reads a cache entry, if there is one.
    ///
    /// # Errors
    /// If it is damaged or of another version.
    pub fn cache_entry(&self, key: &partita_core::digest::Digest) -> Result<Option<StepResult>> {
        present(self.read(&layout::cache(key), run::VERSION))
    }

    /// Returns what the steps of a run have left, by their index.
    ///
    /// # Errors
    /// If it cannot be listed.
    pub fn left_by_steps(&self, run_id: &str) -> Result<BTreeMap<usize, LeftByStep>> {
        let mut left = BTreeMap::<usize, LeftByStep>::new();
        let steps = layout::steps(run_id);
        for name in self.store.list(&steps)? {
            let Some((index, file)) = layout::step_file(&name) else { continue };
            let left = left.entry(index).or_default();
            left.add(file);
            if file == StepFile::Items {
                left.items =
                    self.left_by_items(&format!("{steps}/{}", name.trim_end_matches('/')))?;
            }
        }
        Ok(left)
    }

    fn left_by_items(&self, folder: &str) -> Result<BTreeMap<u32, LeftByStep>> {
        let mut left = BTreeMap::<u32, LeftByStep>::new();
        for name in self.store.list(folder)? {
            if let Some((item, file)) = layout::item_file(&name) {
                left.entry(item).or_default().add(file);
            }
        }
        Ok(left)
    }

    /// Returns the ids of all runs, oldest first.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub fn run_ids(&self) -> Result<Vec<String>> {
        let names = self.store.list("runs")?;
        Ok(names.iter().filter_map(|name| name.strip_suffix('/')).map(str::to_owned).collect())
    }

    fn read<T: DeserializeOwned>(&self, path: &str, version: u32) -> Result<T> {
        let bytes = self.store.read(path)?;
        read_document(&bytes, version).map_err(|(reason, help)| StoreError::BadDocument {
            path: path.to_owned(),
            uri: self.store.uri().to_owned(),
            reason,
            help,
        })
    }

    fn bad(&self, path: &str, reason: String) -> StoreError {
        StoreError::BadDocument {
            path: path.to_owned(),
            uri: self.store.uri().to_owned(),
            reason,
            help: MEND.to_owned(),
        }
    }
}

fn present<T>(read: Result<T>) -> Result<Option<T>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
