//! The launcher's side of the driver: attempts between their launch and their end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use partita_core::deployment::Deployment;
use partita_core::launcher::{
    Attempt, Job, JobStatus, LaunchError, Outcome, Reports, StepLauncher, Unit,
};
use partita_core::run::Failure;
use partita_core::settings::Retry;

use super::failures;
use super::limits::Places;

/// How often a call to a backend that cannot be reached is tried again: for half a minute in all.
const BACKEND_RETRY: Retry = Retry { max_retries: 5, delay: 1.0, backoff: 2.0 };

/// How long a backend may be out of reach before a job that it has is given up.
const LONGEST_SILENCE: Duration = Duration::from_secs(3_600);

/// An attempt that the scheduler takes to be running.
#[derive(Debug)]
struct Flight {
    unit: Unit,
    attempt: u32,
    is_last: bool,
    stage: Stage,
    /// How often a cancellation was asked for.
    cancels: u32,
    /// Whether it was to end at once.
    is_forced: bool,
    /// What it holds under its limits, until its end.
    _places: Places,
}

#[derive(Debug)]
enum Stage {
    /// The backend could not be reached `tries` times.
    Launching { reason: Option<Arc<str>>, tries: u32, timeout: Option<Duration> },
    /// The backend has it; `silent_since` it could not be asked.
    Launched { job: Job, silent_since: Option<Duration> },
}

/// What came of a launch.
#[derive(Debug)]
pub(super) enum Launch {
    /// The backend has the attempt; its timeout, where it was not set yet, counts from now.
    Done { timeout: Option<Duration> },
    /// The backend cannot be reached now.
    Again { after: Duration },
    /// The attempt failed.
    Failed(Failure),
    /// The attempt is over, or was launched before.
    Stale,
}

/// What came of a cancellation.
#[derive(Debug)]
pub(super) enum Cancel {
    /// Its end will be reported, or its grace will run out.
    Asked,
    /// The backend cannot be reached now.
    Again { after: Duration },
    /// It never was launched and now never will be.
    Ended,
}

/// How an attempt that was polled has ended.
#[derive(Debug)]
pub(super) enum Polled {
    /// The backend says so.
    Ended(Outcome),
    /// The backend has been out of reach for too long.
    Lost(Failure),
}

/// All attempts that are launched or about to be.
pub(super) struct Flights<'a> {
    deployment: &'a Arc<Deployment>,
    run_id: Arc<str>,
    launcher: &'a dyn StepLauncher,
    reports: Arc<dyn Reports>,
    flights: HashMap<usize, Flight>,
    /// The attempts that an earlier engine launched and that still run.
    found: HashMap<Unit, (u32, Job)>,
}

impl<'a> Flights<'a> {
    pub(super) fn new(
        deployment: &'a Arc<Deployment>,
        run_id: Arc<str>,
        launcher: &'a dyn StepLauncher,
        reports: Arc<dyn Reports>,
    ) -> Self {
        let (flights, found) = (HashMap::new(), HashMap::new());
        Self { deployment, run_id, launcher, reports, flights, found }
    }

    /// Finds the attempts again that an earlier engine began and did not see the end of; returns
    /// those that its launcher knows.
    ///
    /// # Errors
    /// If that cannot be found out now.
    pub(super) fn find(
        &mut self,
        begun: &HashMap<Unit, u32>,
    ) -> Result<Vec<(Unit, u32)>, LaunchError> {
        for (&unit, &number) in begun {
            let attempt = self.attempt(unit, number, None, true);
            if let Some(job) = self.launcher.find(&attempt, &self.reports)? {
                self.found.insert(unit, (number, job));
            }
        }
        Ok(self.found.iter().map(|(unit, (number, _))| (*unit, *number)).collect())
    }

    /// Returns whether an attempt of an earlier engine at a step or an item still runs.
    pub(super) fn has_found(&self, unit: Unit) -> bool {
        self.found.contains_key(&unit)
    }

    fn attempt(
        &self,
        unit: Unit,
        number: u32,
        cache_reason: Option<Arc<str>>,
        is_last: bool,
    ) -> Attempt {
        Attempt {
            deployment: Arc::clone(self.deployment),
            run_id: Arc::clone(&self.run_id),
            step: unit.step,
            item: unit.item,
            number,
            cache_reason,
            is_last,
        }
    }

    /// Returns whether the launcher takes an attempt now.
    ///
    /// # Errors
    /// Why its orchestrator cannot be opened.
    pub(super) fn takes(
        &self,
        unit: Unit,
        number: u32,
        is_last: bool,
        reason: Option<Arc<str>>,
    ) -> Result<bool, String> {
        if self.found.get(&unit).is_some_and(|(found, _)| *found == number) {
            return Ok(true);
        }
        self.launcher.takes(&self.attempt(unit, number, reason, is_last), &self.reports)
    }

    /// Begins an attempt at `unit`, which the scheduler knows by the number `step`.
    pub(super) fn begin(
        &mut self,
        step: usize,
        unit: Unit,
        attempt: u32,
        is_last: bool,
        reason: Option<Arc<str>>,
        places: Places,
    ) -> Launch {
        let found = self.found.remove(&unit).filter(|(number, _)| *number == attempt);
        let is_found = found.is_some();
        let stage = match found {
            Some((_, job)) => Stage::Launched { job, silent_since: None },
            None => Stage::Launching { reason, tries: 0, timeout: None },
        };
        let flight =
            Flight { unit, attempt, is_last, stage, cancels: 0, is_forced: false, _places: places };
        self.flights.insert(step, flight);
        if is_found { Launch::Done { timeout: None } } else { self.launch(step, attempt) }
    }

    /// Hands an attempt to the launcher, unless that was done.
    pub(super) fn launch(&mut self, step: usize, number: u32) -> Launch {
        let Some(flight) = self.flights.get(&step) else { return Launch::Stale };
        let Stage::Launching { reason, .. } = &flight.stage else { return Launch::Stale };
        if flight.attempt != number {
            return Launch::Stale;
        }
        let attempt = self.attempt(flight.unit, number, reason.clone(), flight.is_last);
        let Some(flight) = self.flights.get_mut(&step) else { return Launch::Stale };
        let Stage::Launching { tries, timeout, .. } = &mut flight.stage else {
            return Launch::Stale;
        };
        match find_or_launch(self.launcher, attempt, *tries > 0, &self.reports) {
            Ok(job) => {
                let timeout = timeout.take();
                flight.stage = Stage::Launched { job, silent_since: None };
                Launch::Done { timeout }
            }
            Err(LaunchError::Refused(error)) => {
                Launch::Failed(failures::refused(self.deployment, &error))
            }
            Err(LaunchError::Unreachable(error)) => {
                *tries += 1;
                match again_after(*tries) {
                    Some(after) => Launch::Again { after },
                    None => Launch::Failed(failures::unreachable(self.deployment, *tries, &error)),
                }
            }
        }
    }

    /// Keeps the timeout of an attempt until it is launched; returns whether it has to wait so.
    pub(super) fn keep_timeout(&mut self, step: usize, number: u32, after: Duration) -> bool {
        match self.flights.get_mut(&step) {
            Some(Flight { attempt, stage: Stage::Launching { timeout, .. }, .. })
                if *attempt == number =>
            {
                *timeout = Some(after);
                true
            }
            _ => false,
        }
    }

    /// Asks the launcher to end an attempt.
    pub(super) fn cancel(&mut self, step: usize, number: u32) -> Cancel {
        let Some(flight) = self.flights.get_mut(&step) else { return Cancel::Asked };
        if flight.attempt != number {
            return Cancel::Asked;
        }
        flight.cancels += 1;
        let Stage::Launched { job, .. } = &flight.stage else { return Cancel::Ended };
        match self.launcher.cancel(job) {
            Err(LaunchError::Unreachable(_)) => {
                again_after(flight.cancels).map_or(Cancel::Asked, |after| Cancel::Again { after })
            }
            // A backend that refuses has its grace, as one that accepts and does nothing.
            Ok(()) | Err(LaunchError::Refused(_)) => Cancel::Asked,
        }
    }

    /// Has the launcher end an attempt at once whose grace is over; returns whether that is new to it.
    pub(super) fn force(&mut self, step: usize, number: u32) -> bool {
        let flight = self.flights.get_mut(&step).filter(|flight| flight.attempt == number);
        let Some(Flight { stage: Stage::Launched { job, .. }, is_forced, .. }) = flight else {
            return false;
        };
        !std::mem::replace(is_forced, true) && self.launcher.force(job).is_ok()
    }

    /// Asks the launcher once more to end what it was asked to end: somebody is impatient.
    pub(super) fn cancel_again(&self) {
        for flight in self.flights.values().filter(|flight| flight.cancels > 0) {
            if let Stage::Launched { job, .. } = &flight.stage {
                // It was taken once, or its grace runs.
                let _ = self.launcher.cancel(job);
            }
        }
    }

    /// Returns whether nothing is launched, or about to be.
    pub(super) fn is_empty(&self) -> bool {
        self.flights.is_empty()
    }

    /// Ends an attempt here; returns whether it was cancelled, or `None` if it was over already.
    pub(super) fn end(&mut self, step: usize, number: u32) -> Option<bool> {
        self.flights.get(&step).filter(|flight| flight.attempt == number)?;
        self.flights.remove(&step).map(|flight| flight.cancels > 0)
    }

    /// Returns the time between two polls, if there is a launched job that has to be polled.
    pub(super) fn poll_interval(&self) -> Option<Duration> {
        let interval = Duration::try_from_secs_f64(self.launcher.poll_interval()?).ok()?;
        let launched = |flight: &Flight| matches!(flight.stage, Stage::Launched { .. });
        let any = self.flights.values().any(launched);
        // An interval of 0 would keep the driver from anything else.
        any.then_some(interval.max(Duration::from_millis(1)))
    }

    /// Asks how each launched job stands; returns those that have ended, by step.
    pub(super) fn poll(&mut self, now: Duration) -> Vec<(usize, u32, Polled)> {
        let mut ended = Vec::new();
        for (&step, flight) in &mut self.flights {
            let Stage::Launched { job, silent_since } = &mut flight.stage else { continue };
            let polled = match self.launcher.poll(job) {
                Ok(JobStatus::Active) => {
                    *silent_since = None;
                    continue;
                }
                Ok(JobStatus::Ended(outcome)) => Polled::Ended(outcome),
                Err(LaunchError::Refused(error)) => {
                    let failure = failures::unknown_job(self.deployment, &error);
                    Polled::Ended(Outcome::Failed(failure))
                }
                Err(LaunchError::Unreachable(error)) => {
                    let silence = now.saturating_sub(*silent_since.get_or_insert(now));
                    if silence < LONGEST_SILENCE {
                        continue;
                    }
                    Polled::Lost(failures::silent(self.deployment, silence, &error))
                }
            };
            ended.push((step, flight.attempt, polled));
        }
        ended.sort_unstable_by_key(|(step, ..)| *step);
        ended
    }
}

/// Launches an attempt, unless an earlier try got through and only its answer was lost.
fn find_or_launch(
    launcher: &dyn StepLauncher,
    attempt: Attempt,
    tried: bool,
    reports: &Arc<dyn Reports>,
) -> Result<Job, LaunchError> {
    if tried && let Some(job) = launcher.find(&attempt, reports)? {
        return Ok(job);
    }
    launcher.launch(attempt, reports)
}

fn again_after(tries: u32) -> Option<Duration> {
    BACKEND_RETRY
        .wait_after(tries)
        .map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default())
}
