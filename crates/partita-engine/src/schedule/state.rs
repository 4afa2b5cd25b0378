//! The states of a step and of a run inside the scheduler, and how many steps are in each.

use partita_core::status::{RunStatus, StepStatus};

use super::event::Because;

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepState {
    /// It waits for `upstream` more steps.
    Waiting { upstream: u32 },
    /// The cache is being asked.
    Resolving,
    /// It waits for a slot.
    Ready { attempt: u32 },
    /// An attempt runs.
    Running { attempt: u32 },
    /// An attempt was cancelled and has not ended yet; it holds its slot.
    Stopping { attempt: u32, why: Stop },
    /// The next attempt is due when its timer fires; it holds no slot.
    Delayed { attempt: u32 },
    /// It is mapped: `left` of its items have not ended, and `worst` is how the others fared.
    Mapped { left: u32, worst: Option<StepStatus> },
    /// It is mapped, and what its items made is being gathered.
    Gathering,
    /// It will not change any more.
    Ended(StepStatus),
}

/// Why an attempt was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It took too long.
    TimedOut,
    /// The run stops.
    Run,
}

/// Where the run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It has not begun.
    Idle,
    /// Steps are started.
    Running,
    /// Nothing more is started; what runs ends.
    Stopping(Because),
    /// It is over.
    Ended(RunStatus),
}

impl StepState {
    /// Returns the word for this state, given the number of the step's first attempt.
    pub(super) fn status(self, first_attempt: u32) -> StepStatus {
        match self {
            Self::Waiting { .. } | Self::Resolving => StepStatus::Waiting,
            Self::Ready { attempt } if attempt == first_attempt => StepStatus::Waiting,
            Self::Ready { .. } | Self::Delayed { .. } => StepStatus::Retrying,
            Self::Running { .. } | Self::Stopping { .. } => StepStatus::Running,
            Self::Mapped { .. } | Self::Gathering => StepStatus::Running,
            Self::Ended(status) => status,
        }
    }
}

/// How many steps have which status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts([usize; 8]);

impl Counts {
    /// Returns how many steps have a status.
    pub fn of(&self, status: StepStatus) -> usize {
        self.0[status as usize]
    }

    /// Returns how many steps are completed or cached.
    pub fn successful(&self) -> usize {
        self.of(StepStatus::Completed) + self.of(StepStatus::Cached)
    }

    /// Returns how many steps may still change.
    pub fn unended(&self) -> usize {
        use StepStatus::{Retrying, Running, Waiting};
        self.of(Waiting) + self.of(Running) + self.of(Retrying)
    }

    /// Returns how many steps there are.
    pub fn total(&self) -> usize {
        self.0.iter().sum()
    }

    pub(super) fn add(&mut self, status: StepStatus) {
        self.0[status as usize] += 1;
    }

    pub(super) fn change(&mut self, from: StepStatus, to: StepStatus) {
        self.0[from as usize] -= 1;
        self.0[to as usize] += 1;
    }
}
