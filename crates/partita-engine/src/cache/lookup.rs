//! Looks a step's result up by its key.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use partita_core::artifact::ArtifactVersion;
use partita_core::deployment::Deployment;
use partita_core::digest::Digest;
use partita_core::launcher::Unit;
use partita_core::run::{Failure, StepResult};

use super::explain::{Invocation, differences};
use crate::clock;
use crate::drive::{Resolution, Resolver};
use crate::metadata::{PipelineAt, RunIndex};
use crate::step_runner::{InputError, InputValue, RunContext, commit_cached, gather, references};
use crate::store::{Documents, Result, StoreError, layout};

/// Whether a step's result is there already.
#[derive(Debug)]
pub enum Lookup {
    /// It is.
    Hit {
        /// The result to take over.
        entry: Box<StepResult>,
        /// Why it can be taken.
        reason: String,
    },
    /// It is not.
    Miss {
        /// Why.
        reason: String,
    },
}

/// A deployment of an earlier run, with its steps' numbers.
struct Earlier {
    deployment: Deployment,
    indices: HashMap<String, usize>,
}

/// The run whose commits a new run takes over where their keys still match.
#[derive(Debug, Clone)]
pub struct ResumedFrom {
    /// The run.
    pub run_id: String,
    /// What it executed.
    pub deployment_id: String,
    /// The step which, with everything downstream of it, runs whatever earlier results there are.
    pub from_step: Option<String>,
}

/// Answers whether steps need to run, from the cache and from the run that is resumed.
pub struct CacheResolver {
    context: Arc<RunContext>,
    /// What earlier runs are found in, to say what has changed since.
    history: Option<Arc<dyn RunIndex>>,
    resumed_from: Option<ResumedFrom>,
    /// The steps that run whatever earlier results there are.
    anew: HashSet<usize>,
    source_root: Option<String>,
    has_earlier_runs: OnceLock<bool>,
    earlier: Mutex<HashMap<String, Option<Arc<Earlier>>>>,
    /// Names of runs by id, so that each is read once.
    names: Mutex<HashMap<String, String>>,
    /// Why items of each mapped step have no result, so that it is found out once for all of them.
    reasons: Mutex<HashMap<usize, String>>,
}

/// Why a step runs whatever its inputs are.
pub(crate) const CACHING_IS_OFF: &str = "caching is off for this step";

type Inputs = BTreeMap<String, InputValue>;

impl CacheResolver {
    /// Returns the resolver of a run; `resumed_from` is the run whose commits it may take over, and
    /// `source_root` where the pipeline's code lies.
    pub fn new(
        context: Arc<RunContext>,
        history: Arc<dyn RunIndex>,
        resumed_from: Option<ResumedFrom>,
        source_root: Option<String>,
    ) -> Self {
        let from_step = resumed_from.as_ref().and_then(|from| from.from_step.as_deref());
        let anew = from_step.map_or_else(HashSet::new, |step| from(&context.deployment, step));
        Self { history: Some(history), resumed_from, anew, source_root, ..Self::alone(context) }
    }

    /// Returns the resolver of a place that has the artifact store alone.
    pub fn alone(context: Arc<RunContext>) -> Self {
        Self {
            context,
            history: None,
            resumed_from: None,
            anew: HashSet::new(),
            source_root: None,
            has_earlier_runs: OnceLock::new(),
            earlier: Mutex::default(),
            names: Mutex::default(),
            reasons: Mutex::default(),
        }
    }

    /// Looks a step or an item up whose upstream steps are committed, without changing anything.
    ///
    /// # Errors
    /// If its inputs cannot be found.
    pub fn look_up(&self, of: impl Into<Unit>) -> std::result::Result<Lookup, InputError> {
        let unit = of.into();
        let inputs = self.context.inputs(unit)?;
        let key = self.context.key(unit, &inputs);
        Ok(self.look_up_key(unit, &inputs, key)?)
    }

    fn look_up_key(&self, unit: Unit, inputs: &Inputs, key: Digest) -> Result<Lookup> {
        let step = unit.step;
        if self.anew.contains(&step) {
            let from = self.resumed_from.as_ref().and_then(|from| from.from_step.as_deref());
            let reason = format!("the run was resumed from step `{}` on", from.unwrap_or("?"));
            return Ok(Lookup::Miss { reason });
        }
        if let Some(hit) = self.taken_over(unit, key)? {
            return Ok(hit);
        }
        let config = &self.context.deployment.steps[step].config;
        if !config.enable_cache {
            return Ok(Lookup::Miss { reason: CACHING_IS_OFF.to_owned() });
        }
        let entry = match self.documents().cache_entry(&key) {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(Lookup::Miss { reason: self.explain(unit, inputs) }),
            Err(StoreError::BadDocument { path, reason, .. }) => {
                let reason = format!("the cache entry `{path}` is damaged: {reason}");
                return Ok(Lookup::Miss { reason });
            }
            Err(error) => return Err(error),
        };
        if let Some(reason) = self.unusable(&entry, config.cache_expiry.map(|span| span.0)) {
            return Ok(Lookup::Miss { reason });
        }
        let run = self.run_name(&entry.run_id);
        let reason = format!("same code, parameters and inputs as in run `{run}`");
        Ok(Lookup::Hit { entry: Box::new(entry), reason })
    }

    /// Returns the commit of the run that is resumed, if its key still matches.
    fn taken_over(&self, unit: Unit, key: Digest) -> Result<Option<Lookup>> {
        let Some(ResumedFrom { run_id, deployment_id, .. }) = &self.resumed_from else {
            return Ok(None);
        };
        let name = &self.context.deployment.steps[unit.step].name;
        let Some(earlier) = self.earlier(deployment_id) else {
            return Ok(None);
        };
        let Some(index) = earlier.indices.get(name) else {
            return Ok(None);
        };
        // A commit that cannot be read, or whose outputs are gone, is made again.
        let there = Unit { step: *index, item: unit.item };
        let commit = self.documents().commit(run_id, there, name).ok().flatten();
        let commit = commit.filter(|commit| self.unusable(commit, None).is_none());
        Ok(commit.filter(|commit| commit.cache_key == Some(key)).map(|entry| Lookup::Hit {
            entry: Box::new(entry),
            reason: format!(
                "taken over from run `{}`, which this run resumes",
                self.run_name(run_id)
            ),
        }))
    }

    /// Returns the name of a run, or its id if the run is deleted.
    fn run_name(&self, run_id: &str) -> String {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let name = names.entry(run_id.to_owned()).or_insert_with(|| {
            let header = self.documents().run_header(run_id);
            header.map_or_else(|_| run_id.to_owned(), |header| header.name)
        });
        name.clone()
    }

    fn unusable(&self, entry: &StepResult, expiry: Option<f64>) -> Option<String> {
        let age = clock::now().seconds_since(entry.ended_at);
        if expiry.is_some_and(|expiry| age > expiry) {
            return Some(format!("the earlier result, of {}, has expired", entry.ended_at));
        }
        if let Some((name, _)) = entry.outputs.iter().find(|(_, output)| !output.is_value_whole()) {
            return Some(format!("the earlier result's output `{name}` is corrupt"));
        }
        let is_gone = |version: &ArtifactVersion| {
            let mut is_gone = false;
            version.visit_folders(&mut |part| {
                is_gone |= self.context.store.fetch(&layout::artifact(part)).is_err();
            });
            is_gone
        };
        let gone = entry.outputs.iter().find(|(_, version)| is_gone(version));
        gone.map(|(name, _)| {
            format!("the earlier result's output `{name}` is gone from the artifact store")
        })
    }

    /// Returns the pipeline whose earlier runs results are compared with.
    fn pipeline(&self) -> PipelineAt<'_> {
        PipelineAt {
            name: &self.context.deployment.pipeline.name,
            source_root: self.source_root.as_deref(),
            store: self.context.store.uri(),
        }
    }

    /// Returns whether the pipeline ever ran before, so that a first run asks once and no more.
    fn has_earlier_runs(&self, history: &dyn RunIndex) -> bool {
        *self.has_earlier_runs.get_or_init(|| {
            let asked = history.has_other_runs(&self.pipeline(), &self.context.run_id);
            asked.unwrap_or_default()
        })
    }

    /// Says why there is no result for a step: what changed since its latest one.
    fn explain(&self, unit: Unit, inputs: &Inputs) -> String {
        let step = unit.step;
        if unit.item.is_some() {
            let mut reasons = self.reasons.lock().unwrap_or_else(PoisonError::into_inner);
            return reasons.entry(step).or_insert_with(|| self.explain_items(step)).clone();
        }
        self.changes(step, Some(inputs)).map_or_else(|unknown| unknown, |found| found.join("; "))
    }

    /// Says why there is no result for some items of a mapped step.
    fn explain_items(&self, step: usize) -> String {
        match self.changes(step, None) {
            Ok(changes) if changes.is_empty() => {
                "there is no earlier result for this item".to_owned()
            }
            Ok(changes) => changes.join("; "),
            Err(unknown) => unknown,
        }
    }

    /// Returns what has changed since a step's latest result besides its inputs, as far as that is
    /// known.
    pub fn own_changes(&self, step: usize) -> Vec<String> {
        self.changes(step, None).unwrap_or_default()
    }

    /// Returns what has changed since a step's latest result, or why nothing can be said; without
    /// `inputs`, those are taken to be the same.
    fn changes(
        &self,
        step: usize,
        inputs: Option<&Inputs>,
    ) -> std::result::Result<Vec<String>, String> {
        let Some(history) = &self.history else {
            return Err("the cache has no result with this key".to_owned());
        };
        if !self.has_earlier_runs(&**history) {
            return Err("there is no earlier run of this pipeline here".to_owned());
        }
        let after = &self.context.deployment.steps[step];
        let previous = history.previous_step_result(&self.pipeline(), &after.name);
        let previous = previous.ok().flatten();
        let Some((run_id, deployment_id)) = previous else {
            return Err("there is no earlier result".to_owned());
        };
        let unknown = || {
            let run = self.run_name(&run_id);
            format!("its earlier result, of run `{run}`, cannot be compared")
        };
        let earlier = self.earlier(&deployment_id).ok_or_else(unknown)?;
        let index = earlier.indices.get(&after.name).ok_or_else(unknown)?;
        let commit = self.documents().commit(&run_id, *index, &after.name);
        let commit = commit.ok().flatten().ok_or_else(unknown)?;
        let before = &earlier.deployment.steps[*index];
        let now = inputs.map_or_else(|| commit.inputs.clone(), references);
        let found = differences(
            &Invocation { deployment: &earlier.deployment, step: before, inputs: &commit.inputs },
            &Invocation { deployment: &self.context.deployment, step: after, inputs: &now },
        );
        if found.is_empty() && inputs.is_some() {
            let run = self.run_name(&run_id);
            return Err(format!("the earlier result, of run `{run}`, was not kept in the cache"));
        }
        Ok(found)
    }

    fn earlier(&self, deployment_id: &str) -> Option<Arc<Earlier>> {
        let mut earlier = self.earlier.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = earlier.get(deployment_id) {
            return known.clone();
        }
        let read = self.documents().deployment(deployment_id).ok().map(|deployment| {
            let indices = deployment
                .steps
                .iter()
                .enumerate()
                .map(|(i, step)| (step.name.clone(), i))
                .collect();
            Arc::new(Earlier { deployment, indices })
        });
        earlier.insert(deployment_id.to_owned(), read.clone());
        read
    }

    fn documents(&self) -> Documents<'_> {
        Documents::new(&*self.context.store)
    }

    fn resolution(&self, unit: Unit) -> std::result::Result<Resolution, InputError> {
        let inputs = self.context.inputs(unit)?;
        let key = self.context.key(unit, &inputs);
        Ok(match self.look_up_key(unit, &inputs, key)? {
            Lookup::Hit { entry, reason } => {
                // Until the commit is there, nothing may say that these artifacts are needed. Values
                // that live in the entry go with the commit.
                let hold = has_folders(&entry).then(|| self.context.store.hold()).transpose()?;
                if let Some(reason) = hold.as_ref().and_then(|_| self.unusable(&entry, None)) {
                    return Ok(Resolution::Run { reason: Some(reason.into()) });
                }
                Resolution::Cached(commit_cached(&self.context, unit, &inputs, &entry, reason)?)
            }
            Lookup::Miss { reason } => Resolution::Run { reason: Some(reason.into()) },
        })
    }
}

/// Returns a step and everything downstream of it. Steps are in topological order.
fn from(deployment: &Deployment, first: &str) -> HashSet<usize> {
    let mut names = HashSet::from([first]);
    let mut indices = HashSet::new();
    for (index, step) in deployment.steps.iter().enumerate() {
        let is_downstream = step.upstream_steps.iter().any(|name| names.contains(name.as_str()));
        if is_downstream || step.name == first {
            names.insert(&step.name);
            indices.insert(index);
        }
    }
    indices
}

/// Returns whether an output of a result lies in files of its own.
fn has_folders(result: &StepResult) -> bool {
    let mut has_folders = false;
    for version in result.outputs.values() {
        version.visit_folders(&mut |_| has_folders = true);
    }
    has_folders
}

impl Resolver for CacheResolver {
    fn resolve(&self, unit: Unit) -> Resolution {
        self.resolution(unit)
            .unwrap_or_else(|error| Resolution::Failed(Failure::ours(error.to_string())))
    }

    fn expand(&self, step: usize) -> std::result::Result<u32, Failure> {
        let count = self.context.expand(step).map_err(|error| Failure::ours(error.to_string()))?;
        u32::try_from(count)
            .map_err(|_| Failure::ours("its list has more than 4,294,967,295 items; split it"))
    }

    fn gather(&self, step: usize) -> std::result::Result<Arc<StepResult>, Failure> {
        gather(&self.context, step).map_err(|error| Failure::ours(error.to_string()))
    }

    fn committed(&self, unit: Unit) -> Option<Arc<StepResult>> {
        self.context.committed(unit).ok().flatten()
    }

    fn recorded(&self, unit: Unit, attempt: u32) -> Option<StepResult> {
        let context = &self.context;
        let name = &context.deployment.steps[unit.step].name;
        let documents = Documents::new(&*context.store);
        documents.result(&context.run_id, unit, name, attempt).ok().flatten()
    }
}
