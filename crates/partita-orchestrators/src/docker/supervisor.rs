//! The thread that owns a run's containers: each attempt is a task of its runtime.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bollard::models::{ContainerStateStatusEnum, ContainerSummaryStateEnum};
use bollard::query_parameters::ListContainersOptionsBuilder;
use crossbeam_channel::Sender;
use partita_core::digest::Digest;
use partita_core::launcher::{Attempt, Job, LaunchError, Outcome, Reports, Unit};
use partita_engine::step_runner::RunContext;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::attempt::{Begin, Flight, refuse};
use super::commands::Commands;
use super::config::DockerOrchestratorConfig;
use super::container::{self, ATTEMPT_LABEL, GPUS_LABEL, RUN_LABEL};
use super::engine::{Engine, Trouble};
use super::stopping;
use crate::gpus::OwnGpus;
use crate::output::Echo;

/// How long the last containers of a run may take to end when it is over.
const CLOSING: Duration = Duration::from_secs(20);

/// What all attempts of a run share.
pub(super) struct Setup {
    pub(super) context: Arc<RunContext>,
    pub(super) config: DockerOrchestratorConfig,
    pub(super) engine: Engine,
    pub(super) echo: Arc<dyn Echo>,
    pub(super) gpus: Arc<OwnGpus>,
    /// The archive of the author's code.
    pub(super) code: Option<Digest>,
    /// What enters steps that are commands.
    pub(super) commands: Option<Commands>,
    /// The images that were built for steps, by the steps' names.
    pub(super) images: BTreeMap<String, String>,
}

/// Whether an attempt was found, or why that is not known.
pub(super) type Found = Result<bool, LaunchError>;

/// What the supervisor is asked.
enum Request {
    Launch(Attempt, Arc<dyn Reports>),
    Find(Attempt, Arc<dyn Reports>, Sender<Found>),
    Cancel(Job),
    /// Nothing of an attempt runs any more.
    Free(Job),
    Close,
}

/// The engine's end of what the supervisor listens to.
#[derive(Clone)]
pub(super) struct Mailbox(UnboundedSender<Request>);

impl Mailbox {
    pub(super) fn launch(&self, attempt: Attempt, reports: Arc<dyn Reports>) {
        self.send(Request::Launch(attempt, reports));
    }

    pub(super) fn find(&self, attempt: Attempt, reports: Arc<dyn Reports>, found: Sender<Found>) {
        self.send(Request::Find(attempt, reports, found));
    }

    pub(super) fn cancel(&self, job: Job) {
        self.send(Request::Cancel(job));
    }

    pub(super) fn close(&self) {
        self.send(Request::Close);
    }

    fn send(&self, request: Request) {
        // Nobody listens once the run is over.
        let _ = self.0.send(request);
    }
}

/// Starts the supervisor of a run, in the runtime that its engine was connected in.
pub(super) fn start(setup: Setup, runtime: Runtime) -> std::io::Result<(Mailbox, JoinHandle<()>)> {
    let (requests, inbox) = unbounded_channel();
    let mailbox = Mailbox(requests);
    let supervisor = Supervisor {
        setup: Arc::new(setup),
        mailbox: mailbox.clone(),
        running: HashMap::new(),
        flown: HashSet::new(),
        flights: JoinSet::new(),
    };
    let work = move || runtime.block_on(supervisor.run(inbox));
    let thread = thread::Builder::new().name("partita-containers".to_owned()).spawn(work)?;
    Ok((mailbox, thread))
}

struct Supervisor {
    setup: Arc<Setup>,
    mailbox: Mailbox,
    /// How often the end of each attempt in flight was asked for.
    running: HashMap<Job, watch::Sender<u32>>,
    /// The attempts whose ends were seen here.
    flown: HashSet<Job>,
    flights: JoinSet<()>,
}

impl Supervisor {
    async fn run(mut self, mut inbox: UnboundedReceiver<Request>) {
        while let Some(request) = inbox.recv().await {
            match request {
                Request::Launch(attempt, reports) => self.launch(attempt, reports),
                Request::Find(attempt, reports, answer) => {
                    let found = self.find(attempt, reports).await;
                    let _ = answer.send(found);
                }
                Request::Cancel(job) => {
                    if let Some(asked) = self.running.get(&job) {
                        asked.send_modify(|asked| *asked += 1);
                    }
                }
                Request::Free(job) => drop(self.running.remove(&job)),
                Request::Close => break,
            }
        }
        inbox.close();
        while let Ok(request) = inbox.try_recv() {
            if let Request::Launch(attempt, reports) = request {
                refuse(&attempt, &reports);
            }
        }
        self.end().await;
    }

    fn launch(&mut self, attempt: Attempt, reports: Arc<dyn Reports>) {
        let gpus = self.setup.gpus.of(&attempt.id());
        self.fly(attempt, reports, Begin::Launch { gpus });
    }

    /// Looks after the container of an attempt from here on.
    fn fly(&mut self, attempt: Attempt, reports: Arc<dyn Reports>, begin: Begin) {
        let job = attempt.id();
        let (asked, is_asked) = watch::channel(0);
        let flight = Flight::new(Arc::clone(&self.setup), attempt, reports, begin, is_asked);
        let (mailbox, id) = (self.mailbox.clone(), job.clone());
        let gpus = Arc::clone(&self.setup.gpus);
        self.flights.spawn(flight.run(move || {
            gpus.take_back(&id);
            mailbox.send(Request::Free(id));
        }));
        self.flown.insert(job.clone());
        self.running.insert(job, asked);
        // Those that have ended need nobody any more.
        while self.flights.try_join_next().is_some() {}
    }

    /// Takes an attempt over whose container is there.
    async fn find(&mut self, attempt: Attempt, reports: Arc<dyn Reports>) -> Found {
        if self.running.contains_key(&attempt.id()) {
            return Ok(true);
        }
        let (engine, name) = (&self.setup.engine, container::name(&attempt));
        let found = match engine.docker.inspect_container(&name, None).await.map_err(Trouble::from)
        {
            Ok(found) => found,
            Err(Trouble::NotFound(_)) => return Ok(false),
            Err(Trouble::Away(why)) => return Err(LaunchError::Unreachable(engine.away(&why))),
            Err(trouble) => return Err(LaunchError::Refused(trouble.to_string())),
        };
        let status = found.state.and_then(|state| state.status);
        if status == Some(ContainerStateStatusEnum::CREATED) {
            // The engine died before it started it.
            let removed = stopping::remove(engine, &name).await;
            removed.map_err(|trouble| LaunchError::Unreachable(trouble.to_string()))?;
            return Ok(false);
        }
        let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
        let has = labels.get(GPUS_LABEL).map(String::as_str).unwrap_or_default();
        self.setup.gpus.note(attempt.id(), |gpu| has.split(',').any(|had| had == gpu));
        self.fly(attempt, reports, Begin::Found);
        Ok(true)
    }

    /// Ends whatever still runs, at once, and removes what is left of the run.
    async fn end(mut self) {
        for asked in self.running.values() {
            asked.send_replace(2);
        }
        let ended = async { while self.flights.join_next().await.is_some() {} };
        let _ = timeout(CLOSING, ended).await;
        let _ = timeout(CLOSING, self.clear()).await;
    }

    /// Removes what is left of the run's containers, as far as it is not kept: of engines before this
    /// one, or of attempts that were given up.
    async fn clear(&self) -> Result<(), Trouble> {
        let engine = &self.setup.engine;
        let label = format!("{RUN_LABEL}={}", self.setup.context.run_id);
        let filters = HashMap::from([("label", vec![label])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        for found in engine.docker.list_containers(Some(options)).await? {
            let runs = found.state == Some(ContainerSummaryStateEnum::RUNNING);
            let is_good = found.status.is_some_and(|status| status.starts_with("Exited (0)"));
            let is_kept = !runs && self.setup.config.remove.keeps(is_good);
            let Some(id) = found.id else { continue };
            if runs {
                stopping::signal(engine, &id, "SIGKILL").await;
            }
            let attempt = found.labels.unwrap_or_default().remove(ATTEMPT_LABEL);
            match attempt.filter(|id| !self.flown.contains(id)).and_then(|id| self.attempt(&id)) {
                Some(attempt) => self.end_left(attempt, is_kept).await,
                None if !is_kept => stopping::remove(engine, &id).await?,
                None => {}
            }
        }
        Ok(())
    }

    /// Completes the log of an attempt that ended with nobody there.
    async fn end_left(&self, attempt: Attempt, is_kept: bool) {
        let (_, asked) = watch::channel(0);
        let (setup, nobody) = (Arc::clone(&self.setup), Arc::new(Nobody));
        Flight::new(setup, attempt, nobody, Begin::Found, asked).tidy_up(is_kept).await;
    }

    /// Returns the attempt with this id: `RUN/STEP[.ITEM]/NUMBER`.
    fn attempt(&self, id: &str) -> Option<Attempt> {
        let (_, rest) = id.split_once('/')?;
        let (unit, number) = rest.split_once('/')?;
        let (step, item) = match unit.split_once('.') {
            Some((step, item)) => (step, Some(item.parse().ok()?)),
            None => (unit, None),
        };
        let deployment = Arc::clone(&self.setup.context.deployment);
        let step = step.parse().ok().filter(|&step| step < deployment.steps.len())?;
        Some(Attempt {
            deployment,
            run_id: Arc::clone(&self.setup.context.run_id),
            step,
            item,
            number: number.parse().ok()?,
            cache_reason: None,
            is_last: false,
        })
    }
}

/// Who is told of the end of an attempt whose end is known.
struct Nobody;

impl Reports for Nobody {
    fn ended(&self, _: Unit, _: u32, _: Outcome) {}

    fn asked(&self, _: Option<usize>) {}
}
