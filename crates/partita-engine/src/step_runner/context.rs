//! What the attempts of one run share: the deployment, the store and the commits so far.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use partita_core::artifact::ArtifactVersion;
use partita_core::cache::{self, InputContent};
use partita_core::deployment::{Deployment, OutputReference};
use partita_core::digest::Digest;
use partita_core::run::{Event, EventKind};
use partita_core::time::Timestamp;

use super::Committed;
use super::inputs::{self, InputValue};
use crate::clock;
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
    events: Mutex<Option<Box<dyn Write + Send>>>,
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
            events: Mutex::new(None),
        }
    }

    /// Remembers the commit of a step.
    pub fn remember(&self, step: usize, result: Committed) {
        self.commits()[step] = Some(result);
    }

    /// Returns the commit of a step, reading it if another process made it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn committed(&self, step: usize) -> Result<Option<Committed>> {
        if let Some(result) = &self.commits()[step] {
            return Ok(Some(Arc::clone(result)));
        }
        let name = &self.deployment.steps[step].name;
        let read = Documents::new(&*self.store).commit(&self.run_id, step, name)?.map(Arc::new);
        if let Some(result) = &read {
            self.remember(step, Arc::clone(result));
        }
        Ok(read)
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

    /// Returns the values that a step takes from elsewhere.
    ///
    /// # Errors
    /// If one is missing or cannot be read.
    pub fn inputs(&self, step: usize) -> Result<BTreeMap<String, InputValue>> {
        self.deployment.steps[step]
            .inputs
            .iter()
            .map(|(name, input)| Ok((name.clone(), inputs::resolve(self, input)?)))
            .collect()
    }

    /// Returns the cache key of a step with these inputs.
    pub fn key(&self, step: usize, inputs: &BTreeMap<String, InputValue>) -> Digest {
        let step = &self.deployment.steps[step];
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
        cache::key(step, source.unwrap_or_else(|| Digest::of(step.source.as_bytes())), &contents)
    }

    /// Adds an event to the run's record and returns when it happened. An event that cannot be
    /// written is not worth a run: the documents that decide are the commits.
    pub fn note(&self, kind: EventKind) -> Timestamp {
        let at = clock::now();
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        if events.is_none() {
            *events = self.store.appender(&layout::events(&self.run_id)).ok();
        }
        let event = Event { at, kind };
        if let (Some(writer), Ok(mut line)) = (events.as_mut(), serde_json::to_vec(&event)) {
            line.push(b'\n');
            if writer.write_all(&line).is_err() {
                // Opened again, it ends what was written of this line.
                *events = None;
            }
        }
        at
    }

    fn commits(&self) -> MutexGuard<'_, Vec<Option<Committed>>> {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
