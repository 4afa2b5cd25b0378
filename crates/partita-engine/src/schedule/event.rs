//! What the scheduler is told, and what it asks for.
//!
//! A `step` in events and actions is a number: that of a step of the deployment or, from their count
//! on, of an item of a mapped step (see [`Scheduler::unit`](super::Scheduler::unit)).

use std::time::Duration;

use partita_core::deployment::Deployment;
use partita_core::status::{RunStatus, StepStatus};

/// Something that happened. Late, repeated and stale events change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The run begins.
    Start,
    /// The cache was asked about a step.
    Resolved {
        /// The step.
        step: usize,
        /// The answer.
        answer: Resolved,
    },
    /// A mapped step has got its size; its items are numbered from here on.
    Expanded {
        /// The step.
        step: usize,
        /// How many items it has, or `None` if that could not be found out and the step fails.
        items: Option<u32>,
    },
    /// What the items of a mapped step made was gathered.
    Gathered {
        /// The step.
        step: usize,
        /// `completed` or `cached`; anything else if that could not be done and the step fails.
        status: StepStatus,
    },
    /// An attempt is over.
    Ended {
        /// The step.
        step: usize,
        /// The attempt's number.
        attempt: u32,
        /// How it went.
        outcome: Outcome,
    },
    /// A timer that [`Action::SetTimer`] asked for ran out.
    TimerFired {
        /// The step.
        step: usize,
        /// The attempt's number.
        attempt: u32,
        /// Which of its timers.
        timer: Timer,
    },
    /// An attempt that was to be launched was not, since a limit is reached that it keeps to.
    HeldBack {
        /// The step.
        step: usize,
        /// The attempt's number.
        attempt: u32,
    },
    /// An attempt that was to be launched was not, since its launcher does not take it yet.
    PutOff {
        /// The step.
        step: usize,
        /// The attempt's number.
        attempt: u32,
    },
    /// Attempts that were put off are taken now.
    Asked {
        /// The step, of which one attempt is taken, or all.
        step: Option<usize>,
    },
    /// Limits that were reached may have room again.
    LimitsFreed,
    /// Someone wants the run to stop.
    CancelRequested,
}

/// What the cache says of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolved {
    /// An earlier result was taken over; nothing is left to run.
    Cached,
    /// The step must run.
    Run,
    /// That could not be found out; the step fails without an attempt.
    Failed,
}

/// How an attempt went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its step is committed.
    Completed,
    /// It failed and may be retried.
    Failed,
    /// It was interrupted; it is not retried.
    Cancelled,
    /// Nothing more can be learned of it and it may still run, so it is not retried.
    Lost,
    /// It never began, since its orchestrator cannot be opened for this run, or has failed.
    NoOrchestrator,
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The longest time that an attempt may take.
    Timeout,
    /// The wait before an attempt that is a retry.
    Retry,
    /// The longest wait for the end of an attempt that was cancelled.
    Grace,
}

/// Something to be done, in the order given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    /// Ask the cache about a step; answered by [`Event::Resolved`].
    Resolve {
        /// The step.
        step: usize,
    },
    /// Find out the items of a mapped step; answered by [`Event::Expanded`].
    Expand {
        /// The step.
        step: usize,
    },
    /// Commit a mapped step all of whose items are done; answered by [`Event::Gathered`].
    Gather {
        /// The step.
        step: usize,
    },
    /// Start an attempt; answered by [`Event::Ended`], or at once by [`Event::HeldBack`] or
    /// [`Event::PutOff`].
    Launch {
        /// The step.
        step: usize,
        /// The attempt's number.
        attempt: u32,
    },
    /// Ask a launched attempt to end.
    Cancel {
        /// The step.
        step: usize,
        /// The attempt's number.
        attempt: u32,
    },
    /// Answer with [`Event::TimerFired`] after some time.
    SetTimer {
        /// The step.
        step: usize,
        /// The attempt's number.
        attempt: u32,
        /// Which of its timers.
        timer: Timer,
        /// The time from now.
        after: Duration,
    },
    /// Take note that an attempt failed.
    AttemptFailed {
        /// The step.
        step: usize,
        /// The attempt's number.
        attempt: u32,
        /// What made it a failure.
        cause: Cause,
        /// The wait before the next attempt; `None` if there is none.
        retry_in: Option<Duration>,
    },
    /// Take note that a step has its last status.
    StepEnded {
        /// The step.
        step: usize,
        /// That status.
        status: StepStatus,
        /// Why, where the step itself is not the reason.
        because: Option<Because>,
    },
    /// Take note that the run is over; the last action of all.
    RunEnded {
        /// Its last status.
        status: RunStatus,
    },
}

/// What made an attempt a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Its launcher said so.
    Reported,
    /// It took too long and was cancelled.
    TimedOut,
    /// Nothing more can be learned of it.
    Lost,
}

/// Why a step ended for a reason that is not its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// A step that it needs failed.
    UpstreamFailed {
        /// The step that failed.
        step: usize,
    },
    /// A step failed and the failure mode stops the run.
    RunStopped {
        /// The step that failed.
        step: usize,
    },
    /// Someone cancelled the run.
    RunCancelled,
    /// An orchestrator of the run cannot be opened, or has failed.
    NoOrchestrator,
}

impl Because {
    /// Returns the reason in words, for the records of a run.
    pub fn reason(self, deployment: &Deployment) -> String {
        let name = |step: usize| deployment.steps.get(step).map_or("?", |step| &step.name);
        match self {
            Self::UpstreamFailed { step } => format!("its upstream step `{}` failed", name(step)),
            Self::RunStopped { step } => format!("the run stopped since `{}` failed", name(step)),
            Self::RunCancelled => "the run was cancelled".to_owned(),
            Self::NoOrchestrator => "an orchestrator of the run failed".to_owned(),
        }
    }
}
