//! One step of a run as a step entrypoint makes it: with the deployment and the artifact store
//! alone, wherever that is.

use std::path::Path;
use std::sync::Arc;

use partita_core::deployment::{Deployment, Source, Step};
use partita_core::launcher::{Attempt, Outcome, Unit};
use partita_core::run::{Failure, RunHeader, StepResult};
use partita_core::status::RunStatus;

use super::{InputError, RunContext, StepCaller, gpus, run_attempt};
use crate::cache::CacheResolver;
use crate::drive::{Resolution, Resolver};
use crate::home::LocalArtifactStoreConfig;
use crate::secrets::Secrets;
use crate::store::{ArtifactStore, Documents, LocalArtifactStore, StoreError};

/// Why a step entrypoint cannot begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// The artifact store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it takes cannot be found.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A mapped step runs item by item.
    #[error("step `{0}` is mapped; give the item to run, as in `--item 0`")]
    ItemNeeded(String),
    /// The URI is of no store that can be opened here.
    #[error(
        "`{0}` is no artifact store that this Partita can open; give a URI such as `file:///srv/partita/store`"
    )]
    UnknownStore(String),
    /// The deployment does not say how its artifact store is used.
    #[error(
        "the artifact store of the deployment `{deployment}` has a wrong configuration: {reason}"
    )]
    BadConfig {
        /// The deployment.
        deployment: String,
        /// What is wrong.
        reason: String,
    },
    /// The run executes another deployment.
    #[error(
        "run `{run}` executes the deployment `{expected}`, not `{given}`; give the one that belongs to it"
    )]
    OtherDeployment {
        /// The run.
        run: String,
        /// What it executes.
        expected: String,
        /// What was given.
        given: String,
    },
    /// The deployment has no such step.
    #[error("the deployment `{deployment}` has no step `{step}`; it has `{known}`")]
    UnknownStep {
        /// The deployment.
        deployment: String,
        /// The name that was given.
        step: String,
        /// The names that there are.
        known: String,
    },
    /// What its step depends on is not there.
    #[error(
        "step `{step}` depends on `{upstream}`, which is not committed; start it once that has completed"
    )]
    UpstreamOpen {
        /// The step.
        step: String,
        /// The step that it depends on.
        upstream: String,
    },
    /// The run is over.
    #[error(
        "step `{step}` does not begin: run `{run}` is {status}; `partita runs resume` would continue it"
    )]
    RunEnded {
        /// The step.
        step: String,
        /// The run.
        run: String,
        /// How it ended.
        status: RunStatus,
    },
    /// The run goes no further.
    #[error("step `{step}` does not begin: the run stopped since `{failed}` failed")]
    RunStopped {
        /// The step.
        step: String,
        /// The step that failed.
        failed: String,
    },
    /// What the step asks for is kept by engines alone.
    #[error(
        "step `{step}` asks for {asked}, which is the engine's to keep in this run; run it with `run_step`, or let the flavor say with `Supply(delegates=True)` that its orchestrators start entrypoints, or take the request away"
    )]
    NeedsEngine {
        /// The step.
        step: String,
        /// What it asks for.
        asked: String,
    },
    /// The attempt has been made.
    #[error("attempt {number} at step `{step}` has ended already; give the next number, or `auto`")]
    AttemptEnded {
        /// The step.
        step: String,
        /// The attempt's number.
        number: u32,
    },
}

/// Which try at its step an entrypoint makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Try {
    /// This one, as its engine counts; the engine has looked in the cache.
    Launched {
        /// The attempt's number.
        number: u32,
        /// Why the step was not cached.
        cache_reason: Option<String>,
        /// Whether no attempt follows if this one fails, where that is known.
        is_last: Option<bool>,
    },
    /// The one that was claimed for this place, where no engine counts. The cache is looked in first.
    Claimed(u32),
}

/// How an entrypoint ended.
#[derive(Debug)]
pub enum Entered {
    /// The step was committed before.
    AlreadyCommitted,
    /// An earlier run's result was taken over.
    Cached,
    /// The attempt was made.
    Ran(Outcome),
}

/// A run, opened in a place where steps of it run.
pub struct RunEntry {
    context: Arc<RunContext>,
    header: RunHeader,
    trusts_pickles: bool,
}

impl RunEntry {
    /// Opens a run by what an entrypoint was given.
    ///
    /// # Errors
    /// If one of them is not there, or they do not belong together.
    pub fn open(store: &str, deployment_id: &str, run_id: &str) -> Result<Self, EntryError> {
        let unknown = || EntryError::UnknownStore(store.to_owned());
        let folder = Path::new(store.strip_prefix("file://").ok_or_else(unknown)?);
        if !folder.is_absolute() {
            return Err(unknown());
        }
        let opened = LocalArtifactStore::open(folder, Default::default())?;
        let deployment = Documents::new(&opened).deployment(deployment_id)?;
        let config =
            LocalArtifactStoreConfig::of(&deployment.stack.artifact_store).map_err(|reason| {
                EntryError::BadConfig { deployment: deployment_id.to_owned(), reason }
            })?;
        let opened = LocalArtifactStore::open(folder, config.durability)?;
        let header = Documents::new(&opened).run_header(run_id)?;
        if header.deployment_id != deployment.id {
            return Err(EntryError::OtherDeployment {
                run: run_id.to_owned(),
                expected: header.deployment_id,
                given: deployment.id,
            });
        }
        Ok(Self {
            context: Arc::new(RunContext::new(&header.id, Arc::new(deployment), Arc::new(opened))),
            header,
            trusts_pickles: config.trust_pickles,
        })
    }

    /// Returns what the run executes.
    pub fn deployment(&self) -> &Arc<Deployment> {
        &self.context.deployment
    }

    /// Takes the values of secrets that the step that runs here was handed.
    pub fn give_secrets(&self, secrets: Secrets) {
        self.context.give_secrets(secrets);
    }

    /// Returns the run's header.
    pub fn header(&self) -> &RunHeader {
        &self.header
    }

    /// Returns where its artifacts are.
    pub fn store(&self) -> &Arc<dyn ArtifactStore> {
        &self.context.store
    }

    /// Returns whether pickles of its artifact store may be loaded.
    pub fn trusts_pickles(&self) -> bool {
        self.trusts_pickles
    }
}

/// One step of a run, opened in the place where it runs.
pub struct StepEntry {
    run: Arc<RunEntry>,
    step: usize,
    item: Option<u32>,
}

impl StepEntry {
    /// Opens the step with this name, or an item of it.
    ///
    /// # Errors
    /// If the run has none, or the step has no such item.
    pub fn named(run: Arc<RunEntry>, name: &str, item: Option<u32>) -> Result<Self, EntryError> {
        let deployment = run.deployment();
        let step = deployment.steps.iter().position(|step| step.name == name).ok_or_else(|| {
            let known: Vec<&str> = deployment.steps.iter().map(|step| step.name.as_str()).collect();
            EntryError::UnknownStep {
                deployment: deployment.id.clone(),
                step: name.to_owned(),
                known: known.join("`, `"),
            }
        })?;
        Self::of(run, Unit { step, item })
    }

    /// Opens a step or an item by its numbers.
    ///
    /// # Errors
    /// If the step has no such item.
    pub fn of(run: Arc<RunEntry>, Unit { step, item }: Unit) -> Result<Self, EntryError> {
        let entry = Self { run, step, item };
        if item.is_some() {
            // Its upstream steps are committed, so that its list can be found.
            entry.run.context.inputs(entry.unit())?;
        }
        Ok(entry)
    }

    /// Returns the step or the item.
    pub fn unit(&self) -> Unit {
        Unit { step: self.step, item: self.item }
    }

    pub(super) fn context(&self) -> &Arc<RunContext> {
        &self.run.context
    }

    /// Returns the run.
    pub fn run_entry(&self) -> &RunEntry {
        &self.run
    }

    /// Returns the step.
    pub fn step(&self) -> &Step {
        &self.run.deployment().steps[self.step]
    }

    /// Returns the code that it calls.
    pub fn source(&self) -> Option<&Source> {
        self.run.deployment().sources.get(&self.step().source)
    }

    /// Returns whether the artifact store says how an attempt that did not succeed ended.
    pub fn is_recorded(&self, number: u32) -> bool {
        matches!(self.result(number), Ok(Some(_)))
    }

    /// Returns why the step cannot begin that was given so many graphics processors, if none is seen.
    pub fn missing_gpus(&self, given: u32) -> Option<String> {
        gpus::missing(&self.step().name, given, Path::new(gpus::DEVICES))
    }

    /// Records why an attempt cannot be made here.
    pub fn refuse(&self, number: u32, why: &str) {
        super::record_lost(&self.run.context, self.unit(), number, &Failure::ours(why), None);
    }

    /// Records that an attempt's process was interrupted, unless the attempt has done so itself.
    pub fn interrupted(&self, number: u32) {
        if !self.is_recorded(number) {
            super::record_interrupted(&self.run.context, self.unit(), number);
        }
    }

    fn result(&self, number: u32) -> Result<Option<StepResult>, StoreError> {
        let context = &self.run.context;
        let documents = Documents::new(&*context.store);
        documents.result(&context.run_id, self.unit(), &self.step().name, number)
    }

    /// Runs the step, unless it is done.
    ///
    /// # Errors
    /// If the attempt cannot begin.
    pub fn run(&self, which: Try, caller: &mut dyn StepCaller) -> Result<Entered, EntryError> {
        let context = &self.run.context;
        if self.item.is_none() && self.step().map_over.is_some() {
            return Err(EntryError::ItemNeeded(self.step().name.clone()));
        }
        if context.committed(self.unit())?.is_some() {
            return Ok(Entered::AlreadyCommitted);
        }
        match which {
            Try::Launched { number, cache_reason, is_last } => {
                let reason = cache_reason.map(Arc::from);
                let attempt = self.attempt(self.not_ended(number)?, reason, is_last);
                Ok(Entered::Ran(run_attempt(context, &attempt, caller)))
            }
            Try::Claimed(number) => self.enter_alone(number, caller),
        }
    }

    fn enter_alone(&self, number: u32, caller: &mut dyn StepCaller) -> Result<Entered, EntryError> {
        let context = &self.run.context;
        match CacheResolver::alone(Arc::clone(context)).resolve(self.unit()) {
            Resolution::Cached(_) => Ok(Entered::Cached),
            Resolution::Run { reason } => {
                self.begins(number)?;
                let is_last = self.retry_in(number)?.is_none();
                let attempt = self.attempt(number, reason, Some(is_last));
                Ok(Entered::Ran(run_attempt(context, &attempt, caller)))
            }
            Resolution::Failed(failure) => {
                super::record_lost(context, self.unit(), number, &failure, None);
                Ok(Entered::Ran(Outcome::Failed(failure)))
            }
        }
    }

    fn attempt(
        &self,
        number: u32,
        cache_reason: Option<Arc<str>>,
        is_last: Option<bool>,
    ) -> Attempt {
        let retries = self.step().config.retry.max_retries;
        Attempt {
            deployment: Arc::clone(self.run.deployment()),
            run_id: Arc::clone(&self.run.context.run_id),
            step: self.step,
            item: self.item,
            number,
            cache_reason,
            is_last: is_last.unwrap_or(number > retries),
        }
    }

    fn not_ended(&self, number: u32) -> Result<u32, EntryError> {
        match self.result(number)? {
            None => Ok(number),
            Some(_) => Err(EntryError::AttemptEnded { step: self.step().name.clone(), number }),
        }
    }
}
