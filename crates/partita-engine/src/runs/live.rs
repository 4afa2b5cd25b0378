//! A run that this process drives.
//!
//! The order of writes is what makes a crash at any moment harmless: the lease, the index row, the
//! deployment, `run.json`, then steps, then `end.json`. A row without `run.json` is no run. Until
//! `run.json` names the deployment, the store is held against collection.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use partita_core::deployment::Deployment;
use partita_core::launcher::{LaunchError, StepLauncher, Unit};
use partita_core::name;
use partita_core::run::{EventKind, RunEnd, RunHeader, Target, VERSION};
use partita_core::stack::Capabilities;
use partita_core::status::RunStatus;

use super::before::Before;
use super::follow::Follower;
use super::identity::Identity;
use super::observers::{FirstAttempts, Recorder};
use super::redacting::Redacting;
use crate::cache::{CacheResolver, ResumedFrom};
use crate::clock;
use crate::drive::{CancelHandle, Drive, Driver, Limits, Observer, RunOutcome};
use crate::metadata::{Change, IndexWriter, MetadataError, MetadataStore, RunStart, write_again};
use crate::schedule::{Plan, Pool};
use crate::step_runner::RunContext;
use crate::store::{ArtifactStore, Documents, LeaseGuard, Staging, StoreError, encode, layout};

/// How long the end of an attempt may be on its way from its orchestrator to here.
const TOLD_WITHIN: Duration = Duration::from_secs(1);

/// Why a run could not begin, go on or end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The artifact store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The metadata store failed.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The run's name is not one.
    #[error("`{name}` cannot be a run's name: {reason}; choose another one with `--name`")]
    BadName {
        /// The name, shortened.
        name: String,
        /// What is wrong with it.
        reason: name::InvalidName,
    },
    /// A finished run has nothing left to do.
    #[error(
        "run `{0}` is completed, and its pipeline is what it was; there is nothing to resume: `--from STEP` or `--param K=V` makes a new run that takes over the rest"
    )]
    AlreadyCompleted(String),
    /// Its orchestrator has it.
    #[error(
        "run `{0}` was submitted, and goes on without an engine; if its orchestrator has lost it, take it back with `partita runs cancel` first"
    )]
    Submitted(String),
    /// It is not known whether steps of it still run.
    #[error(
        "it cannot be found out whether steps of run `{run}` still run: {error}; resume the run once its orchestrator can be reached"
    )]
    MayStillRun {
        /// The run.
        run: String,
        /// What its orchestrator says.
        error: LaunchError,
    },
    /// Processes of an engine that died are still there.
    #[error(transparent)]
    StillRuns(std::io::Error),
    /// A bug in Partita.
    #[error("the deployment cannot be executed: {0}; this is a bug in Partita")]
    Internal(String),
}

impl RunError {
    /// Returns whether an artifact store, or an orchestrator, is out of reach.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::MayStillRun { .. } => true,
            Self::Store(error) => error.is_unreachable(),
            Self::Metadata(error) => error.is_unreachable(),
            _ => false,
        }
    }
}

/// What a new run is made of.
pub struct NewRun {
    /// What it executes.
    pub deployment: Arc<Deployment>,
    /// Its name; one is made if it is absent.
    pub name: Option<String>,
    /// How its code can be loaded again.
    pub target: Option<Target>,
    /// The operating-system user.
    pub user: Option<String>,
    /// The run whose commits it takes over.
    pub resumed_from: Option<ResumedFrom>,
}

/// Where a run is executed.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// Starts its attempts.
    pub launcher: &'a dyn StepLauncher,
    /// What the orchestrators of its stack can do, in order.
    pub capabilities: &'a [Capabilities],
    /// What it shares with other runs.
    pub limits: &'a dyn Limits,
}

/// How a run went.
pub struct Executed {
    /// How it ended.
    pub outcome: RunOutcome,
    /// Why the index lacks something of it, if it does; its documents are whole.
    pub index_error: Option<MetadataError>,
}

/// A run that this process has the lease of.
pub struct LiveRun {
    pub(super) header: RunHeader,
    pub(super) context: Arc<RunContext>,
    pub(super) before: Before,
    resumed_from: Option<ResumedFrom>,
    pub(super) metadata: Arc<dyn MetadataStore>,
    index: Arc<IndexWriter>,
    _lease: LeaseGuard,
}

impl LiveRun {
    /// Begins a new run.
    ///
    /// # Errors
    /// If its name is taken or is none, or its documents cannot be written.
    pub fn begin(
        new: NewRun,
        store: Arc<dyn ArtifactStore>,
        metadata: Arc<dyn MetadataStore>,
    ) -> Result<Self, RunError> {
        let header = header(&new)?;
        let _hold = store.hold()?;
        let lease = store.lease(&header.id)?;
        let started = metadata.start_run(&RunStart {
            header: header.clone(),
            deployment: Some(Arc::clone(&new.deployment)),
            store: store.uri().to_owned(),
            status: RunStatus::Running,
        });
        if let Err(error) = started {
            let _ = store.delete(&layout::run(&header.id)); // Collection would remove it as well.
            return Err(error.into());
        }
        save_deployment(&*store, &new.deployment)?;
        create(&*store, &layout::run_header(&header.id), &header)?;
        let count = new.deployment.steps.len();
        Ok(Self {
            before: Before::nothing(count),
            context: Arc::new(RunContext::new(&header.id, new.deployment, store)),
            header,
            resumed_from: new.resumed_from,
            index: Arc::new(IndexWriter::start(Arc::clone(&metadata) as _)?),
            metadata,
            _lease: lease,
        })
    }

    /// Takes up a run that was interrupted, cancelled or failed. Its commits stand. `end_left` ends
    /// what an earlier engine has left of it on this machine, so that nothing is added to its
    /// documents after they are read.
    ///
    /// # Errors
    /// If another engine drives it, it is completed, its documents cannot be read, or something that
    /// was left does not end.
    pub fn resume(
        run_id: &str,
        store: Arc<dyn ArtifactStore>,
        metadata: Arc<dyn MetadataStore>,
        end_left: impl FnOnce() -> std::io::Result<()>,
    ) -> Result<Self, RunError> {
        let lease = store.lease(run_id)?;
        end_left().map_err(RunError::StillRuns)?;
        let documents = Documents::new(&*store);
        let header = documents.run_header(run_id)?;
        if documents.is_submitted(run_id)? {
            return Err(RunError::Submitted(header.name));
        }
        let ended = documents.run_end(run_id)?;
        if ended.is_some_and(|end| end.status == RunStatus::Completed) {
            return Err(RunError::AlreadyCompleted(header.name));
        }
        let deployment = Arc::new(documents.deployment(&header.deployment_id)?);
        let before = Before::read(&documents, run_id, &deployment)?;
        write_again(&*metadata, &*store, run_id)?;
        // From here on, whoever looks after a crash finds a run that goes on and nobody drives, and
        // reads its documents again.
        metadata.apply(&[Change::RunResumed { run_id: run_id.into() }])?;
        store.delete(&layout::run_end(run_id))?;
        store.delete(&layout::submission(run_id))?;
        let context = RunContext::new(run_id, deployment, Arc::clone(&store));
        context.note(EventKind::Resumed);
        let index = Arc::new(IndexWriter::start(Arc::clone(&metadata) as _)?);
        let resumed_from = match &header.resumed_from {
            Some(earlier) => documents.run_header(earlier).ok().map(|earlier| ResumedFrom {
                run_id: earlier.id,
                deployment_id: earlier.deployment_id,
                from_step: header.from_step.clone(),
            }),
            None => None,
        };
        Ok(Self {
            context: Arc::new(context),
            before,
            header,
            resumed_from,
            index,
            metadata,
            _lease: lease,
        })
    }

    /// Returns the run's header.
    pub fn header(&self) -> &RunHeader {
        &self.header
    }

    /// Returns what records the id that its orchestrator has for it.
    pub fn identity(&self) -> Identity {
        Identity {
            header: self.header.clone(),
            context: Arc::clone(&self.context),
            index: Arc::clone(&self.index),
        }
    }

    /// Returns what its attempts share.
    pub fn context(&self) -> &Arc<RunContext> {
        &self.context
    }

    /// Returns whether each step was committed before this engine took the run.
    pub fn committed(&self) -> &[bool] {
        &self.before.committed
    }

    /// Returns what follows the run from here on, and tells of nothing that was done before.
    ///
    /// # Errors
    /// If its documents cannot be read.
    pub fn follower(&self) -> Result<Follower, StoreError> {
        let Before { committed, items, .. } = &self.before;
        let steps = (0..committed.len()).filter(|step| committed[*step]).map(Unit::from);
        let items = items.iter().filter(|(_, begun)| begun.committed).map(|(unit, _)| *unit);
        let follower = Follower::new(&self.header.id, Arc::clone(&self.context.store))?;
        Ok(follower.without(steps.chain(items)))
    }

    /// Executes the run to its end and records how it ended; `begun` gets what cancels the run.
    ///
    /// # Errors
    /// If its end cannot be recorded.
    pub fn execute(
        self,
        place: Place<'_>,
        observers: &[&dyn Observer],
        begun: impl FnOnce(CancelHandle),
    ) -> Result<Executed, RunError> {
        let plan = self.plan(place.capabilities)?;
        let history: Arc<dyn crate::metadata::RunIndex> = Arc::clone(&self.metadata) as _;
        let source_root = self.header.target.as_ref().map(|target| target.source_root.clone());
        let resolver = CacheResolver::new(
            Arc::clone(&self.context),
            history,
            self.resumed_from.clone(),
            source_root,
        );
        let first_attempts = FirstAttempts {
            steps: self.before.first_attempts.clone(),
            items: self.before.items.clone(),
        };
        let recorder =
            Recorder::new(Arc::clone(&self.context), Arc::clone(&self.index), first_attempts);
        let mut all: Vec<&dyn Observer> = vec![&recorder];
        all.extend_from_slice(observers);
        let run_id = Arc::clone(&self.context.run_id);
        let secrets = self.context.secrets();
        let redacting = secrets.map(|secrets| Redacting::new(place.launcher, secrets));
        let mut driver = Driver::new(
            plan,
            Drive {
                deployment: &self.context.deployment,
                run_id: &run_id,
                launcher: redacting.as_ref().map_or(place.launcher, |redacting| redacting),
                resolver: &resolver,
                limits: place.limits,
                observers: &all,
            },
        );
        driver
            .take_over(&self.before.begun)
            .map_err(|error| RunError::MayStillRun { run: self.header.name.clone(), error })?;
        begun(driver.cancel_handle());
        let outcome = driver.run();
        let index_error = self.end(&outcome)?;
        Ok(Executed { outcome, index_error })
    }

    fn plan(&self, capabilities: &[Capabilities]) -> Result<Plan, RunError> {
        let pool = |able: &Capabilities| Pool {
            max_parallelism: able
                .max_parallelism
                .and_then(NonZeroUsize::new)
                .unwrap_or(NonZeroUsize::MAX),
            supply: able.supply(),
            grace: Duration::try_from_secs_f64(able.grace)
                .unwrap_or_default()
                .saturating_add(TOLD_WITHIN),
        };
        let pools = capabilities.iter().map(pool).collect();
        let mut plan = Plan::of(&self.context.deployment, pools)
            .map_err(|error| RunError::Internal(error.to_string()))?;
        for (index, step) in plan.steps.iter_mut().enumerate() {
            step.committed = self.before.committed[index];
            step.first_attempt = self.before.first_attempts[index];
        }
        plan.begun_items = self.before.items.clone();
        Ok(plan)
    }

    fn end(&self, outcome: &RunOutcome) -> Result<Option<MetadataError>, RunError> {
        let end = RunEnd {
            version: VERSION,
            status: outcome.status,
            ended_at: clock::now(),
            error: outcome.error.clone(),
        };
        let store = &*self.context.store;
        // A run whose documents lack how an attempt ended has no end: it is taken up again.
        let is_told = self.context.write_rest()?;
        // Attempts that were killed leave some; collection finds what cannot be removed now.
        let _ = Staging::remove_left(store, &self.header.id);
        let path = layout::run_end(&self.header.id);
        store.write(&path, encode(store, &path, &end)?.into())?;
        self.index.record(Change::RunEnded { run_id: Arc::clone(&self.context.run_id), end });
        let written = self.index.flush();
        let is_submitted = matches!(Documents::new(store).submission(&self.header.id), Ok(Some(_)));
        if is_told && written.is_ok() && !is_submitted {
            return Ok(None);
        }
        // What its disk refused may have room now, and the documents have it, as they have what
        // entrypoints did that the engine has not launched. What they lack, the index does not keep.
        Ok(write_again(&*self.metadata, store, &self.header.id).err())
    }
}

/// Returns the header of a run that begins now.
fn header(new: &NewRun) -> Result<RunHeader, RunError> {
    let started_at = clock::now();
    let id = clock::new_id();
    let deployment = &new.deployment;
    let pipeline = deployment.pipeline.name.clone();
    let name = new.name.clone().unwrap_or_else(|| default_name(&pipeline, &id, started_at));
    name::check_run(&name)
        .map_err(|reason| RunError::BadName { name: shortened(&name), reason })?;
    let orchestrator = deployment.stack.orchestrator();
    Ok(RunHeader {
        version: VERSION,
        name,
        pipeline,
        deployment_id: deployment.id.clone(),
        stack: deployment.stack.name.clone(),
        orchestrator: orchestrator.map(|o| o.name.clone()).unwrap_or_default(),
        orchestrator_run_id: id.clone(),
        started_at,
        user: new.user.clone(),
        target: new.target.clone(),
        resumed_from: new.resumed_from.as_ref().map(|from| from.run_id.clone()),
        from_step: new.resumed_from.as_ref().and_then(|from| from.from_step.clone()),
        id,
    })
}

/// Writes a deployment unless it is there and whole; its id is the digest of its content.
fn save_deployment(store: &dyn ArtifactStore, deployment: &Deployment) -> Result<(), StoreError> {
    let path = layout::deployment(&deployment.id);
    let document = encode(store, &path, deployment)?;
    match store.read(&path) {
        Ok(there) if there == document => Ok(()),
        Ok(_) | Err(StoreError::NotFound { .. }) => store.write(&path, document.into()),
        Err(error) => Err(error),
    }
}

fn default_name(pipeline: &str, id: &str, at: partita_core::time::Timestamp) -> String {
    let moment: String = at
        .to_string()
        .chars()
        .take(19)
        .map(|c| if c == 'T' || c == ':' { '-' } else { c })
        .collect();
    let base: String = pipeline.chars().take(name::NAME_LENGTH - 40).collect();
    format!("{base}-{moment}-{}", &id[id.len() - 6..])
}

fn shortened(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}

fn create<T: serde::Serialize>(
    store: &dyn ArtifactStore,
    path: &str,
    document: &T,
) -> Result<(), StoreError> {
    store.create(path, encode(store, path, document)?.into()).map(drop)
}
