//! The driver with attempts on real threads.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use crossbeam_channel::{Receiver, Sender, unbounded};
use partita_core::launcher::{
    Attempt, Job, JobStatus, LaunchError, Outcome, Reports, StepLauncher, Unit,
};
use partita_core::run::{Failure, StepResult};
use partita_core::status::{RunStatus, StepStatus};

use super::super::{CancelHandle, Drive, Driver, NoLimits, Resolution, Resolver, RunOutcome};
use super::{documents, fake};
use crate::schedule::{Plan, Pool};

/// Runs each attempt on a thread of its own until a permit comes along.
struct Threads {
    permits: Receiver<Outcome>,
    started: Sender<usize>,
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    /// Given to all that run when one of them is cancelled.
    on_cancel: Option<Sender<Outcome>>,
    order: Mutex<Vec<usize>>,
}

impl StepLauncher for Threads {
    fn launch(&self, attempt: Attempt, reports: &Arc<dyn Reports>) -> Result<Job, LaunchError> {
        self.most.fetch_max(self.now.fetch_add(1, SeqCst) + 1, SeqCst);
        self.order.lock().expect("no panics").push(attempt.step);
        let (permits, now) = (self.permits.clone(), Arc::clone(&self.now));
        let (started, reports) = (self.started.clone(), Arc::clone(reports));
        std::thread::spawn(move || {
            started.send(attempt.step).expect("the test listens");
            let outcome = permits.recv().unwrap_or(Outcome::Completed(None));
            now.fetch_sub(1, SeqCst);
            reports.ended(attempt.unit(), attempt.number, outcome.clone());
            reports.ended(attempt.unit(), attempt.number, outcome);
        });
        Ok(Job::new())
    }

    fn poll(&self, _: &Job) -> Result<JobStatus, LaunchError> {
        Ok(JobStatus::Active)
    }

    fn cancel(&self, _: &Job) -> Result<(), LaunchError> {
        let sender = self.on_cancel.as_ref().expect("only cancelled where that is expected");
        sender.send(Outcome::Cancelled).map_err(|error| LaunchError::Refused(error.to_string()))
    }
}

struct AllRun;

impl Resolver for AllRun {
    fn resolve(&self, _: Unit) -> Resolution {
        Resolution::Run { reason: None }
    }

    fn expand(&self, _: usize) -> Result<u32, Failure> {
        Ok(0)
    }

    fn gather(&self, _: usize) -> Result<Arc<StepResult>, Failure> {
        Err(Failure::ours("no step here is mapped"))
    }

    fn committed(&self, _: Unit) -> Option<Arc<StepResult>> {
        None
    }

    fn recorded(&self, _: Unit, _: u32) -> Option<StepResult> {
        None
    }
}

/// Runs steps that all begin at once, four at a time, and hands `conduct` what steers them.
fn run(
    steps: usize,
    conduct: impl FnOnce(Receiver<usize>, Sender<Outcome>, CancelHandle) + Send,
) -> (RunOutcome, Threads) {
    let (permit, permits) = unbounded();
    let (started, starts) = unbounded();
    let launcher = Threads {
        permits,
        started,
        now: Arc::default(),
        most: Arc::default(),
        on_cancel: Some(permit.clone()),
        order: Mutex::default(),
    };
    let deployment = Arc::new(documents::deployment(&vec![&[][..]; steps]));
    let run_id: Arc<str> = "run".into();
    let four = NonZeroUsize::new(4).expect("four is not zero");
    let plan = Plan::of(&deployment, vec![Pool::of(four)]).expect("the steps are in order");
    let drive = Drive {
        deployment: &deployment,
        run_id: &run_id,
        launcher: &launcher,
        resolver: &AllRun,
        limits: &NoLimits,
        observers: &[],
    };
    let driver = Driver::new(plan, drive);
    let cancel = driver.cancel_handle();
    let outcome = std::thread::scope(|scope| {
        scope.spawn(move || conduct(starts, permit, cancel));
        scope.spawn(move || driver.run()).join().expect("the driver does not panic")
    });
    (outcome, launcher)
}

#[test]
fn slots_are_filled_and_never_overfilled() {
    let (outcome, launcher) = run(20, |starts, permit, _cancel| {
        let four_started: Vec<_> = starts.iter().take(4).collect();
        assert_eq!(four_started.len(), 4);
        for _ in 0..20 {
            let result = Some(fake::result(0));
            permit.send(Outcome::Completed(result)).expect("the launcher listens");
        }
        starts.iter().take(16).for_each(drop);
    });
    assert_eq!(outcome.status, RunStatus::Completed);
    assert_eq!(outcome.counts.of(StepStatus::Completed), 20);
    assert_eq!(launcher.most.load(SeqCst), 4);
    assert_eq!(*launcher.order.lock().expect("no panics"), Vec::from_iter(0..20));
}

#[test]
fn cancelling_from_another_thread_ends_the_run() {
    let (outcome, launcher) = run(20, |starts, _permit, cancel| {
        starts.iter().take(4).for_each(drop);
        cancel.cancel();
    });
    assert_eq!((outcome.status, outcome.error), (RunStatus::Cancelled, None));
    assert_eq!(outcome.counts.of(StepStatus::Cancelled), 20);
    assert_eq!(launcher.order.lock().expect("no panics").len(), 4);
}
