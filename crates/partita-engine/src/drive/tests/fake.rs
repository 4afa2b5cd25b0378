//! A launcher, a resolver and an observer that do as a script says, in virtual time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crossbeam_channel::Receiver;
use partita_core::deployment::{Deployment, StepConfig};
use partita_core::launcher::{
    Attempt, Job, JobStatus, LaunchError, Outcome, Reports, StepLauncher, Unit,
};
use partita_core::run::{Failure, StepResult};
use partita_core::settings::FailureMode;
use partita_core::status::StepStatus;
use partita_core::time::Timestamp;

use super::super::clock::Clock;
use super::super::inbox::Message;
use super::super::{
    CancelHandle, Limits, LimitsHandle, Observer, Places, Reached, Resolution, Resolver, RunEvent,
    Taken,
};
use super::documents::deployment;

/// What an attempt does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Act {
    /// It completes and hands its result over.
    Complete,
    /// It commits and says only that it completed.
    Commit,
    /// It says that it completed without having committed.
    Pretend,
    /// It fails.
    Fail(&'static str),
    /// It commits, then fails.
    CommitAndFail,
    /// It writes down why it failed, and its launcher saw only that it did.
    Record(&'static str),
    /// It writes down that it was interrupted, and its launcher saw only that it failed.
    RecordInterrupt,
    /// It fails and says so twice.
    FailTwice(&'static str),
    /// It is interrupted.
    Interrupt,
    /// It commits and is interrupted.
    CommitAndInterrupt,
    /// It runs until it is cancelled.
    Hang,
    /// It runs until it is forced to end.
    Deaf,
    /// It runs until it is cancelled, and the answer to that is lost.
    Slip,
    /// It runs for ever.
    Ignore,
    /// It commits and runs for ever.
    CommitAndIgnore,
    /// It asks twice for the run to be cancelled and runs until it is.
    CancelRun,
    /// It takes this many seconds and is seen to have completed when polled.
    Take(u64),
    /// Its job cannot be asked about.
    Silent,
    /// Its job can be asked about every other time; the fourth time it has completed.
    Stutter,
    /// Its job is not known.
    Unknown,
    /// The backend refuses it.
    Refuse,
    /// The backend cannot be reached.
    Unreachable,
    /// The backend gets it, runs it until it is cancelled, and its answer is lost.
    LoseAnswer,
}

/// Shared between everything that a test fakes.
#[derive(Default)]
pub(super) struct State {
    now: Duration,
    pub(super) log: Vec<String>,
    launches: HashMap<Unit, usize>,
    jobs: HashMap<Job, (Unit, u32, Act, Duration)>,
    committed: HashSet<Unit>,
    records: HashMap<(Unit, u32), StepResult>,
    reports: Option<Arc<dyn Reports>>,
    limits: Option<LimitsHandle>,
    polls: usize,
    pub(super) cancel: Option<CancelHandle>,
    pub(super) look_ups: Vec<usize>,
}

/// A run to be: the deployment and what its attempts do.
pub(super) struct Script {
    pub(super) deployment: Deployment,
    pub(super) slots: NonZeroUsize,
    poll_interval: Option<f64>,
    acts: HashMap<Unit, Vec<Act>>,
    resolutions: HashMap<Unit, Resolution>,
    /// How many items each mapped step has, or why that is not known.
    items: HashMap<usize, Result<u32, &'static str>>,
    unreachable_cancels: usize,
    /// Until when every limit is reached.
    full_until: Duration,
    /// A step that the launcher takes from some time on.
    put_off: Option<(usize, Duration)>,
    state: Mutex<State>,
}

/// The word for a step's number in a log.
fn letter(step: usize) -> char {
    char::from(b'a' + u8::try_from(step).expect("few steps"))
}

/// The word for a step or an item in a log.
pub(super) fn name(of: impl Into<Unit>) -> String {
    let unit = of.into();
    let item = unit.item.map_or(String::new(), |item| format!("[{item}]"));
    format!("{}{item}", letter(unit.step))
}

/// The number of a step or an item in the name of a job.
fn number_of(unit: Unit) -> String {
    unit.item.map_or(unit.step.to_string(), |item| format!("{}.{item}", unit.step))
}

impl Script {
    /// Returns a run of steps `a`, `b`, … that complete, given the upstream steps of each.
    pub(super) fn new(upstream: &[&[usize]]) -> Self {
        Self {
            deployment: deployment(upstream),
            slots: NonZeroUsize::MIN.saturating_add(1),
            poll_interval: None,
            acts: HashMap::new(),
            resolutions: HashMap::new(),
            items: HashMap::new(),
            unreachable_cancels: 0,
            full_until: Duration::ZERO,
            put_off: None,
            state: Mutex::default(),
        }
    }

    /// Gives what the launches of a step do, one after another; the last one is repeated.
    pub(super) fn act<const N: usize>(mut self, of: impl Into<Unit>, acts: [Act; N]) -> Self {
        self.acts.insert(of.into(), acts.to_vec());
        self
    }

    pub(super) fn resolve(mut self, of: impl Into<Unit>, resolution: Resolution) -> Self {
        self.resolutions.insert(of.into(), resolution);
        self
    }

    /// Makes a step a mapped one with so many items, or says why that is not known.
    pub(super) fn map(mut self, step: usize, items: Result<u32, &'static str>) -> Self {
        self.deployment.steps[step].map_over = Some("x".to_owned());
        self.items.insert(step, items);
        self
    }

    pub(super) fn config(mut self, step: usize, config: StepConfig) -> Self {
        self.deployment.steps[step].config = config;
        self
    }

    pub(super) fn mode(mut self, mode: FailureMode) -> Self {
        self.deployment.pipeline.failure_mode = mode;
        self
    }

    pub(super) fn polled(mut self, interval: f64) -> Self {
        self.poll_interval = Some(interval);
        self
    }

    pub(super) fn unreachable_cancels(mut self, count: usize) -> Self {
        self.unreachable_cancels = count;
        self
    }

    /// Has an attempt of an engine before this one still run.
    pub(super) fn still_runs(self, step: usize, number: u32, act: Act) -> Self {
        let job = format!("{step}.{number}");
        self.state().jobs.insert(job, (step.into(), number, act, Duration::ZERO));
        self
    }

    pub(super) fn full_until(mut self, seconds: u64) -> Self {
        self.full_until = Duration::from_secs(seconds);
        self
    }

    /// Has the launcher take a step from this second on.
    pub(super) fn put_off(mut self, step: usize, seconds: u64) -> Self {
        self.put_off = Some((step, Duration::from_secs(seconds)));
        self
    }

    pub(super) fn slots(mut self, slots: usize) -> Self {
        self.slots = NonZeroUsize::new(slots).expect("at least one");
        self
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it writes")
    }

    fn log(&self, line: &str) {
        let mut state = self.state();
        let line = format!("{}s {line}", state.now.as_secs_f64());
        state.log.push(line);
    }

    /// Begins what the next launch of a step does.
    fn perform(&self, unit: Unit, number: u32, reports: &Arc<dyn Reports>) -> Act {
        let mut state = self.state();
        let launch = state.launches.entry(unit).or_default();
        let acts = self.acts.get(&unit).map_or(&[Act::Complete][..], Vec::as_slice);
        let act = acts[(*launch).min(acts.len() - 1)];
        *launch += 1;
        let started = state.now;
        state.reports = Some(Arc::clone(reports));
        if !matches!(act, Act::Unreachable | Act::Refuse) {
            let job = format!("{}.{number}", number_of(unit));
            state.jobs.insert(job, (unit, number, act, started));
        }
        use Act::{Commit, CommitAndFail, CommitAndIgnore, CommitAndInterrupt};
        if matches!(act, Commit | CommitAndFail | CommitAndIgnore | CommitAndInterrupt) {
            state.committed.insert(unit);
        }
        if let Act::Record(message) = act {
            let record =
                StepResult { error: Some(failure(message)), ..recorded(StepStatus::Failed) };
            state.records.insert((unit, number), record);
        }
        if act == Act::RecordInterrupt {
            state.records.insert((unit, number), recorded(StepStatus::Cancelled));
        }
        if let (Act::CancelRun, Some(handle)) = (act, &state.cancel) {
            handle.cancel();
            handle.clone().cancel();
        }
        act
    }
}

impl StepLauncher for Script {
    fn takes(&self, attempt: &Attempt, reports: &Arc<dyn Reports>) -> Result<bool, String> {
        let mut state = self.state();
        let Some((step, from)) = self.put_off else { return Ok(true) };
        state.reports = Some(Arc::clone(reports));
        Ok(attempt.step != step || state.now >= from)
    }

    fn launch(&self, attempt: Attempt, reports: &Arc<dyn Reports>) -> Result<Job, LaunchError> {
        let (unit, number) = (attempt.unit(), attempt.number);
        let reason =
            attempt.cache_reason.map_or(String::new(), |reason| format!(" since {reason}"));
        self.log(&format!("launch {}.{number}{reason}", name(unit)));
        let ended = |outcome| reports.ended(unit, number, outcome);
        match self.perform(unit, number, reports) {
            Act::Complete => ended(Outcome::Completed(Some(result(unit.step)))),
            Act::Commit | Act::Pretend => ended(Outcome::Completed(None)),
            Act::Fail(message) => ended(Outcome::Failed(failure(message))),
            Act::CommitAndFail => ended(Outcome::Failed(failure("too late to fail"))),
            Act::Record(_) | Act::RecordInterrupt => ended(Outcome::Failed(failure("exit code 1"))),
            Act::FailTwice(message) => {
                ended(Outcome::Failed(failure(message)));
                ended(Outcome::Failed(failure(message)));
            }
            Act::Interrupt | Act::CommitAndInterrupt => ended(Outcome::Cancelled),
            Act::Refuse => return Err(LaunchError::Refused("no such queue".to_owned())),
            Act::Unreachable | Act::LoseAnswer => {
                return Err(LaunchError::Unreachable("connection refused".to_owned()));
            }
            Act::Hang
            | Act::Slip
            | Act::Deaf
            | Act::Ignore
            | Act::CommitAndIgnore
            | Act::CancelRun
            | Act::Take(_)
            | Act::Silent
            | Act::Stutter
            | Act::Unknown => {}
        }
        Ok(format!("{}.{number}", number_of(unit)))
    }

    fn poll(&self, job: &Job) -> Result<JobStatus, LaunchError> {
        let mut state = self.state();
        let (Unit { step, .. }, _, act, started) = state.jobs[job];
        state.polls += 1;
        match act {
            Act::Take(seconds) if state.now >= started + Duration::from_secs(seconds) => {
                Ok(JobStatus::Ended(Outcome::Completed(Some(result(step)))))
            }
            Act::Stutter if state.polls == 4 => {
                Ok(JobStatus::Ended(Outcome::Completed(Some(result(step)))))
            }
            Act::Stutter if state.polls == 2 => Ok(JobStatus::Active),
            Act::Silent | Act::Stutter => {
                Err(LaunchError::Unreachable("connection refused".to_owned()))
            }
            Act::Unknown => Err(LaunchError::Refused("no such job".to_owned())),
            _ => Ok(JobStatus::Active),
        }
    }

    fn cancel(&self, job: &Job) -> Result<(), LaunchError> {
        self.log(&format!("cancel {job}"));
        let state = self.state();
        let (unit, number, act, _) = state.jobs[job];
        let cancels = state.log.iter().filter(|line| line.contains("s cancel ")).count();
        if cancels <= self.unreachable_cancels {
            return Err(LaunchError::Unreachable("connection refused".to_owned()));
        }
        let ends = matches!(act, Act::Hang | Act::Slip | Act::CancelRun | Act::LoseAnswer);
        if let Some(reports) = state.reports.as_ref().filter(|_| ends) {
            reports.ended(unit, number, Outcome::Cancelled);
        }
        match act {
            Act::Slip => Err(LaunchError::Unreachable("connection reset".to_owned())),
            _ => Ok(()),
        }
    }

    fn force(&self, job: &Job) -> Result<(), LaunchError> {
        self.log(&format!("force {job}"));
        let state = self.state();
        let (unit, number, act, _) = state.jobs[job];
        if let Some(reports) = state.reports.as_ref().filter(|_| matches!(act, Act::Deaf)) {
            reports.ended(unit, number, Outcome::Cancelled);
        }
        Ok(())
    }

    fn poll_interval(&self) -> Option<f64> {
        self.poll_interval
    }

    fn find(&self, attempt: &Attempt, _: &Arc<dyn Reports>) -> Result<Option<Job>, LaunchError> {
        let attempt_id = attempt.id();
        let job = attempt_id.split('/').skip(1).collect::<Vec<_>>().join(".");
        Ok(self.state().jobs.contains_key(&job).then_some(job))
    }
}

impl Limits for Script {
    fn take(&self, step: usize) -> Result<Taken, Failure> {
        let is_limited = !self.deployment.steps[step].config.limits.is_empty();
        let is_full = self.state().now < self.full_until;
        if !is_limited || !is_full {
            return Ok(Taken::Places(Places::default()));
        }
        let limit = "licence".to_owned();
        Ok(Taken::Reached(Reached { limit, holders: vec!["other".to_owned()] }))
    }

    fn listen(&self, run: LimitsHandle) {
        self.state().limits = Some(run);
    }
}

impl Resolver for Script {
    fn resolve(&self, unit: Unit) -> Resolution {
        self.state().look_ups.push(unit.step);
        self.resolutions.get(&unit).cloned().unwrap_or(Resolution::Run { reason: None })
    }

    fn expand(&self, step: usize) -> Result<u32, Failure> {
        self.items[&step].map_err(failure)
    }

    fn gather(&self, step: usize) -> Result<Arc<StepResult>, Failure> {
        match self.resolutions.get(&Unit::from(step)) {
            Some(Resolution::Failed(failure)) => Err(failure.clone()),
            _ => Ok(result(step)),
        }
    }

    fn committed(&self, unit: Unit) -> Option<Arc<StepResult>> {
        self.state().committed.contains(&unit).then(|| result(unit.step))
    }

    fn recorded(&self, unit: Unit, attempt: u32) -> Option<StepResult> {
        self.state().records.get(&(unit, attempt)).cloned()
    }
}

impl Observer for Script {
    fn on(&self, event: &RunEvent) {
        let line = match event {
            RunEvent::StepStarted { .. } => return,
            RunEvent::StepExpanded { step, items, committed: 0 } => {
                format!("{} has {items} items", name(*step))
            }
            RunEvent::StepExpanded { step, items, committed } => {
                format!("{} has {items} items, {committed} committed", name(*step))
            }
            RunEvent::HeldBack { step, item, reached } => {
                let unit = Unit { step: *step, item: *item };
                format!("{} waits for {}, held by {:?}", name(unit), reached.limit, reached.holders)
            }
            RunEvent::AttemptFailed { step, item, attempt, failure, retry_in } => {
                let unit = Unit { step: *step, item: *item };
                let next = retry_in.map_or(String::new(), |wait| format!(", again in {wait}s"));
                format!("failed {}.{attempt}{next}: {}", name(unit), failure.message)
            }
            RunEvent::StepEnded { step, item, status, result, failure, because } => {
                let unit = Unit { step: *step, item: *item };
                assert_eq!(result.is_some(), status.is_successful());
                assert_eq!(failure.is_some(), *status == StepStatus::Failed);
                let because =
                    because.as_ref().map_or(String::new(), |because| format!(", {because}"));
                format!("{} {status}{because}", name(unit))
            }
            RunEvent::CancelRequested => "cancel requested".to_owned(),
            RunEvent::RunEnded { status, error } => {
                let error = error.as_ref().map_or(String::new(), |error| format!(": {error}"));
                format!("run {status}{error}")
            }
        };
        self.log(&line);
    }
}

/// Time that stands still while there is something to do, then jumps to the next deadline.
pub(super) struct VirtualClock<'a>(pub(super) &'a Script);

impl Clock for VirtualClock<'_> {
    fn now(&self) -> Duration {
        self.0.state().now
    }

    fn receive(&self, inbox: &Receiver<Message>, deadline: Option<Duration>) -> Option<Message> {
        if let Ok(message) = inbox.try_recv() {
            return Some(message);
        }
        let (mut state, full_until) = (self.0.state(), self.0.full_until);
        if state.now < full_until && deadline.is_none_or(|deadline| full_until <= deadline) {
            state.now = full_until;
            state.limits.as_ref().expect("the driver listens").freed();
            return inbox.try_recv().ok();
        }
        let asked = self.0.put_off.filter(|(_, from)| state.now < *from);
        if let (Some((step, from)), Some(reports)) = (asked, state.reports.clone())
            && deadline.is_none_or(|deadline| from <= deadline)
        {
            state.now = from;
            reports.asked(Some(step));
            return inbox.try_recv().ok();
        }
        state.now = deadline.expect("the driver would wait for ever");
        None
    }
}

pub(super) fn failure(message: &str) -> Failure {
    let kind = "ValueError".to_owned();
    Failure { kind, message: message.to_owned(), traceback: None, exit_code: None }
}

pub(super) fn result(step: usize) -> Arc<StepResult> {
    Arc::new(StepResult {
        version: partita_core::run::VERSION,
        run_id: "run".to_owned(),
        step: name(step),
        item: None,
        attempt: 1,
        status: StepStatus::Completed,
        started_at: Timestamp(0),
        ended_at: Timestamp(0),
        inputs: BTreeMap::new(),
        outputs: BTreeMap::new(),
        cache_key: None,
        cache_reason: None,
        cached_from: None,
        error: None,
        metadata: BTreeMap::new(),
    })
}

fn recorded(status: StepStatus) -> StepResult {
    StepResult { status, ..StepResult::clone(&result(0)) }
}
