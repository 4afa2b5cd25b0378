//! What the attempts of one run share: the deployment, the store and the commits so far.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use partita_core::artifact::ArtifactVersion;
use partita_core::cache::{self, InputContent, ItemInput};
use partita_core::deployment::{Deployment, OutputReference};
use partita_core::digest::Digest;
use partita_core::launcher::Unit;
use partita_core::run::{Event, EventKind};
use partita_core::time::Timestamp;

use super::Committed;
use super::inputs::{self, InputError, InputValue};
use super::mapped::{Expansion, Item};
use crate::clock;
use crate::secrets::Secrets;
use crate::store::{ArtifactStore, Documents, Result, StoreError, layout};

/// One run, as its attempts see it.
pub struct RunContext {
    /// The run.
    pub run_id: Arc<str>,
    /// What it executes.
    pub deployment: Arc<Deployment>,
    /// Where its documents and artifacts are.
    pub store: Arc<dyn ArtifactStore>,
    source_digests: HashMap<String, Digest>,
    indices: HashMap<String, usize>,
    commits: Mutex<Vec<Option<Committed>>>,
    /// The commits of the items of mapped steps that are not committed themselves yet.
    item_commits: Mutex<HashMap<Unit, Committed>>,
    expansions: Mutex<HashMap<usize, Arc<Expansion>>>,
    unwritten: Mutex<Unwritten>,
    secrets: OnceLock<Arc<Secrets>>,
}

/// How often it is tried at a run's end to write what could not be written before.
const TRIES: usize = 3;

/// What a run has to say and could not write yet, with what it writes events with.
#[derive(Default)]
struct Unwritten {
    events: Option<Box<dyn Write + Send>>,
    /// Lines of events, in order.
    lines: VecDeque<Vec<u8>>,
    /// Documents and their paths.
    documents: Vec<(String, Bytes)>,
}

impl RunContext {
    /// Returns the context of a run.
    pub fn new(run_id: &str, deployment: Arc<Deployment>, store: Arc<dyn ArtifactStore>) -> Self {
        let source_digests = deployment
            .sources
            .iter()
            .map(|(name, source)| {
                (name.clone(), cache::source_digest(source, &deployment.environment))
            })
            .collect();
        let indices =
            deployment.steps.iter().enumerate().map(|(i, step)| (step.name.clone(), i)).collect();
        let commits = Mutex::new(vec![None; deployment.steps.len()]);
        Self {
            run_id: run_id.into(),
            deployment,
            store,
            source_digests,
            indices,
            commits,
            item_commits: Mutex::default(),
            expansions: Mutex::default(),
            unwritten: Mutex::default(),
            secrets: OnceLock::new(),
        }
    }

    /// Gives it the values of the secrets that its deployment, or the step that runs here, refers
    /// to. The first that are given stay.
    pub fn give_secrets(&self, secrets: Secrets) {
        let _ = self.secrets.set(Arc::new(secrets));
    }

    /// Returns the values of secrets that it was given.
    pub fn secrets(&self) -> Option<&Arc<Secrets>> {
        self.secrets.get()
    }

    /// Remembers the commit of a step or an item.
    pub fn remember(&self, of: impl Into<Unit>, result: Committed) {
        match of.into() {
            Unit { step, item: None } => self.commits()[step] = Some(result),
            unit => drop(locked(&self.item_commits).insert(unit, result)),
        }
    }

    /// Returns the commit of a step or an item, reading it if another process made it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn committed(&self, of: impl Into<Unit>) -> Result<Option<Committed>> {
        let unit = of.into();
        let known = match unit {
            Unit { step, item: None } => self.commits()[step].clone(),
            unit => locked(&self.item_commits).get(&unit).cloned(),
        };
        if known.is_some() {
            return Ok(known);
        }
        let name = &self.deployment.steps[unit.step].name;
        let read = Documents::new(&*self.store).commit(&self.run_id, unit, name)?.map(Arc::new);
        if let Some(result) = &read {
            self.remember(unit, Arc::clone(result));
        }
        Ok(read)
    }

    /// Forgets the commits and the inputs of the items of a step, which is about to be committed.
    pub(super) fn forget_items(&self, step: usize) {
        locked(&self.item_commits).retain(|unit, _| unit.step != step);
        locked(&self.expansions).remove(&step);
    }

    /// Returns how many items a mapped step has, whose upstream steps are committed.
    ///
    /// # Errors
    /// If its list is missing, cannot be read or is none.
    pub fn expand(&self, step: usize) -> std::result::Result<usize, InputError> {
        Ok(self.expansion(step)?.len())
    }

    /// Returns the items of a mapped step, which are found once.
    pub(super) fn expansion(&self, step: usize) -> std::result::Result<Arc<Expansion>, InputError> {
        if let Some(known) = locked(&self.expansions).get(&step) {
            return Ok(Arc::clone(known));
        }
        let found = Arc::new(Expansion::of(self, step)?);
        locked(&self.expansions).insert(step, Arc::clone(&found));
        Ok(found)
    }

    /// Returns the input that `unit` is an item of, with the item, if it is one.
    fn item(&self, unit: Unit) -> std::result::Result<Option<(&str, Item)>, InputError> {
        let Some(item) = unit.item else { return Ok(None) };
        let step = &self.deployment.steps[unit.step];
        let expansion = self.expansion(unit.step)?;
        let missing =
            || InputError::NoSuchItem { step: step.name.clone(), item, count: expansion.len() };
        let found = expansion.get(item).ok_or_else(missing)?;
        Ok(step.map_over.as_deref().map(|name| (name, found.clone())))
    }

    /// Returns the artifact version that an upstream step committed.
    ///
    /// # Errors
    /// If it cannot be read, or the step has not committed.
    pub fn output(&self, reference: &OutputReference) -> Result<ArtifactVersion> {
        let missing = |index: usize| StoreError::NotFound {
            path: format!(
                "{} (output `{}`)",
                layout::commit(&self.run_id, index, &reference.step),
                reference.output
            ),
            uri: self.store.uri().to_owned(),
        };
        let index = *self.indices.get(&reference.step).ok_or_else(|| missing(usize::MAX))?;
        self.committed(index)?
            .and_then(|result| result.outputs.get(&reference.output).cloned())
            .ok_or_else(|| missing(index))
    }

    /// Returns the values that a step, or an item of it, takes from elsewhere.
    ///
    /// # Errors
    /// If one is missing or cannot be read.
    pub fn inputs(
        &self,
        of: impl Into<Unit>,
    ) -> std::result::Result<BTreeMap<String, InputValue>, InputError> {
        let unit = of.into();
        let item = self.item(unit)?;
        let value = |(name, input): (&String, _)| {
            let value = match &item {
                Some((over, item)) if over == name => item.value(self)?,
                _ => inputs::resolve(self, input)?,
            };
            Ok((name.clone(), value))
        };
        self.deployment.steps[unit.step].inputs.iter().map(value).collect()
    }

    /// Returns the cache key of a step, or of an item, with these inputs.
    pub fn key(&self, of: impl Into<Unit>, inputs: &BTreeMap<String, InputValue>) -> Digest {
        let unit = of.into();
        let step = &self.deployment.steps[unit.step];
        // Its inputs were found, and so was this one among them.
        let item = self.item(unit).ok().flatten();
        let item = item.as_ref().map(|(name, item)| ItemInput { name, value: item.in_key() });
        let mut contents = BTreeMap::new();
        inputs::visit(inputs, &mut |name, version| {
            let content = InputContent {
                digest: version.digest,
                type_name: version.type_name.clone(),
                code: version.code,
            };
            contents.insert(name, content);
        });
        let source = self.source_digests.get(&step.source).copied();
        let source = source.unwrap_or_else(|| Digest::of(step.source.as_bytes()));
        cache::key(step, item, source, &contents)
    }

    /// Adds an event to the run's record and returns when it happened. An event that cannot be
    /// written is not worth a run: the documents that decide are the commits. It is tried again
    /// with the next one.
    pub fn note(&self, kind: EventKind) -> Timestamp {
        let at = clock::now();
        let mut unwritten = locked(&self.unwritten);
        if let Ok(mut line) = serde_json::to_vec(&Event { at, kind }) {
            line.push(b'\n');
            unwritten.lines.push_back(line);
        }
        self.write_events(&mut unwritten);
        at
    }

    /// Returns when an attempt began, if somebody has noted that.
    ///
    /// # Errors
    /// If the events cannot be read.
    pub(crate) fn began(&self, unit: Unit, number: u32) -> Result<Option<Timestamp>> {
        let name = &self.deployment.steps[unit.step].name;
        let is_it = |event: &Event| match &event.kind {
            EventKind::AttemptStarted { step, item, attempt } => {
                step == name && *item == unit.item && *attempt == number
            }
            _ => false,
        };
        let events = Documents::new(&*self.store).events(&self.run_id)?;
        Ok(events.into_iter().rev().find(is_it).map(|event| event.at))
    }

    /// Puts a document, or keeps it for [`Self::write_rest`].
    pub(super) fn write_or_keep(&self, path: String, bytes: Bytes) {
        if self.store.write(&path, bytes.clone()).is_err() {
            locked(&self.unwritten).documents.push((path, bytes));
        }
    }

    /// Tries a few times to write what could not be written: the disk may have room again. Returns
    /// whether all events are.
    ///
    /// # Errors
    /// If a document cannot be written.
    pub(crate) fn write_rest(&self) -> Result<bool> {
        let mut unwritten = locked(&self.unwritten);
        let mut outcome = Ok(());
        for _ in 0..TRIES {
            self.write_events(&mut unwritten);
            outcome = Ok(());
            unwritten.documents.retain(|(path, bytes)| {
                let written = self.store.write(path, bytes.clone());
                written.map_err(|error| outcome = Err(error)).is_err()
            });
        }
        outcome.map(|()| unwritten.lines.is_empty())
    }

    fn write_events(&self, unwritten: &mut Unwritten) {
        let Unwritten { events, lines, .. } = unwritten;
        while let Some(line) = lines.front() {
            if events.is_none() {
                *events = self.store.appender(&layout::events(&self.run_id)).ok();
            }
            let Some(writer) = events.as_mut() else { return };
            if writer.write_all(line).is_err() {
                // Opened again, it ends what was written of this line.
                *events = None;
                return;
            }
            lines.pop_front();
        }
    }

    fn commits(&self) -> MutexGuard<'_, Vec<Option<Committed>>> {
        locked(&self.commits)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
