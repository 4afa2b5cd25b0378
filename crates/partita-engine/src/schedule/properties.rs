//! The scheduler against random graphs, rules and luck, watched by a referee that knows the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::time::Duration;

use partita_core::settings::{Amounts, FailureMode, Retry};
use partita_core::status::{RunStatus, StepStatus};
use proptest::collection::vec;
use proptest::prelude::*;

use super::event::{Action, Because, Cause, Event, Outcome, Resolved, Timer};
use super::graph::Graph;
use super::plan::{Plan, Pool, StepPlan};
use super::scheduler::Scheduler;

/// Knows only what it was asked to do and what it answered, and objects to whatever breaks a rule.
struct Referee {
    upstream: Vec<Vec<usize>>,
    plan: Plan,
    resolving: BTreeSet<usize>,
    /// The attempts that run, and whether they were asked to end.
    running: BTreeMap<usize, (u32, bool)>,
    timers: BTreeSet<(usize, u32, Timer)>,
    attempts: Vec<u32>,
    ended: Vec<Option<StepStatus>>,
    failed: bool,
    cancelled: bool,
    run: Option<RunStatus>,
}

impl Referee {
    fn new(upstream: Vec<Vec<usize>>, plan: Plan) -> Self {
        let committed = |step: &StepPlan| step.committed.then_some(StepStatus::Completed);
        Self {
            resolving: BTreeSet::new(),
            running: BTreeMap::new(),
            timers: BTreeSet::new(),
            attempts: vec![0; upstream.len()],
            ended: plan.steps.iter().map(committed).collect(),
            failed: false,
            cancelled: false,
            run: None,
            upstream,
            plan,
        }
    }

    /// Returns whether nothing may be started any more.
    fn is_stopped(&self) -> bool {
        let stops = self.plan.failure_mode != FailureMode::ContinueOnFailure;
        self.run.is_some() || self.cancelled || (self.failed && stops)
    }

    /// Returns whether a failure lies upstream, on a way that no commit blocks.
    fn has_failed_upstream(&self, step: usize) -> bool {
        self.upstream[step].iter().any(|&up| match self.ended[up] {
            Some(StepStatus::Failed) => true,
            Some(status) if status.is_successful() => false,
            _ => self.has_failed_upstream(up),
        })
    }

    fn check_may_begin(&self, step: usize) {
        assert!(!self.is_stopped(), "step {step} begins in a stopped run");
        assert_eq!(self.ended[step], None, "step {step} begins after its end");
        for &up in &self.upstream[step] {
            let done = self.ended[up].is_some_and(StepStatus::is_successful);
            assert!(done, "step {step} begins before {up}");
        }
    }

    fn see(&mut self, action: Action) {
        assert_eq!(self.run, None, "{action:?} after the end of the run");
        match action {
            Action::Resolve { step } => {
                self.check_may_begin(step);
                assert!(self.resolving.insert(step), "step {step} is resolved twice");
            }
            Action::Launch { step, attempt } => self.see_launch(step, attempt),
            Action::Cancel { step, attempt } => {
                let running = self.running.insert(step, (attempt, true));
                assert_eq!(running, Some((attempt, false)), "cancelled once, while it runs");
            }
            Action::SetTimer { step, attempt, timer, .. } => {
                assert!(self.timers.insert((step, attempt, timer)), "{action:?} twice");
            }
            Action::AttemptFailed { step, cause, retry_in, .. } => {
                assert!(!self.running.contains_key(&step));
                assert!(retry_in.is_none() || (!self.is_stopped() && cause != Cause::Lost));
            }
            Action::StepEnded { step, status, because } => self.see_end(step, status, because),
            Action::RunEnded { status } => self.run = Some(status),
        }
    }

    fn see_launch(&mut self, step: usize, attempt: u32) {
        self.check_may_begin(step);
        self.attempts[step] += 1;
        let rules = &self.plan.steps[step];
        assert!(self.attempts[step] <= 1 + rules.retry.max_retries, "too many attempts");
        assert_eq!(attempt, rules.first_attempt + self.attempts[step] - 1, "numbers go up by one");
        assert!(!self.resolving.contains(&step), "step {step} is launched unresolved");
        assert_eq!(self.running.insert(step, (attempt, false)), None, "two attempts at once");
        self.check_slots();
    }

    fn check_slots(&self) {
        for (number, pool) in self.plan.pools.iter().enumerate() {
            let here =
                |step: &&usize| self.plan.steps[**step].pool % self.plan.pools.len() == number;
            let running: Vec<_> = self.running.keys().filter(here).collect();
            assert!(running.len() <= pool.max_parallelism.get(), "too many at once");
            let held = running.iter().map(|&&step| self.plan.steps[step].needs);
            let held = held.map(|needs| needs.at_most(&pool.supply).millicores).sum::<u64>();
            assert!(held <= pool.supply.millicores, "more cores are held than there are");
        }
    }

    fn see_end(&mut self, step: usize, status: StepStatus, because: Option<Because>) {
        assert_eq!(self.ended[step].replace(status), None, "step {step} ends twice");
        assert!(!self.running.contains_key(&step), "step {step} ends while it runs");
        self.resolving.remove(&step);
        match (status, because) {
            (StepStatus::Completed | StepStatus::Cached, None) => {}
            (StepStatus::Failed, None) => self.failed = true,
            (StepStatus::Failed, Some(Because::RunStopped { .. })) => {
                assert!(self.attempts[step] > 0);
            }
            (StepStatus::Skipped, Some(Because::UpstreamFailed { step: failed })) => {
                assert_eq!(
                    (self.ended[failed], self.attempts[step]),
                    (Some(StepStatus::Failed), 0)
                );
                assert!(self.has_failed_upstream(step));
            }
            (StepStatus::Skipped, Some(Because::RunStopped { step: failed })) => {
                assert_eq!(
                    (self.ended[failed], self.attempts[step]),
                    (Some(StepStatus::Failed), 0)
                );
                assert_ne!(self.plan.failure_mode, FailureMode::ContinueOnFailure);
            }
            (StepStatus::Cancelled, Some(Because::RunStopped { .. })) => {
                assert_eq!(self.plan.failure_mode, FailureMode::FailFast);
            }
            (StepStatus::Cancelled, Some(Because::RunCancelled)) => assert!(self.cancelled),
            other => panic!("step {step} ends as {other:?}"),
        }
    }

    /// Returns everything that could happen next.
    fn moves(&self, answers: [Resolved; 3], outcomes: [Outcome; 6]) -> Vec<Event> {
        let mut moves = Vec::new();
        for &step in &self.resolving {
            moves.extend(answers.map(|answer| Event::Resolved { step, answer }));
        }
        for (&step, &(attempt, _)) in &self.running {
            moves.extend(outcomes.map(|outcome| Event::Ended { step, attempt, outcome }));
        }
        let fired = |&(step, attempt, timer)| Event::TimerFired { step, attempt, timer };
        moves.extend(self.timers.iter().map(fired));
        moves
    }

    /// Takes note of an event before the scheduler handles it.
    fn tell(&mut self, event: Event) {
        match event {
            Event::Resolved { step, .. } => {
                self.resolving.remove(&step);
            }
            Event::Ended { step, attempt, outcome } => {
                if self.running.get(&step).is_some_and(|(running, _)| *running == attempt) {
                    let unasked = self.running.remove(&step) == Some((attempt, false));
                    self.cancelled |= unasked && outcome == Outcome::Cancelled;
                }
            }
            Event::TimerFired { step, attempt, timer } => {
                let was_set = self.timers.remove(&(step, attempt, timer));
                if was_set
                    && timer == Timer::Grace
                    && self.running.get(&step) == Some(&(attempt, true))
                {
                    self.running.remove(&step);
                }
            }
            Event::HeldBack { step, attempt } => {
                self.running.remove(&step);
                self.timers.remove(&(step, attempt, Timer::Timeout));
                self.attempts[step] -= 1;
            }
            Event::CancelRequested => self.cancelled |= self.run.is_none(),
            Event::Start | Event::LimitsFreed => {}
        }
    }

    fn check_end(&self, scheduler: &Scheduler) {
        let run = self.run.expect("the run has ended");
        assert_eq!(scheduler.ended(), Some(run));
        assert!(self.running.is_empty() && self.resolving.is_empty());
        for (step, ended) in self.ended.iter().enumerate() {
            let status = ended.expect("every step has ended");
            assert_eq!(scheduler.status(step), status);
            assert!(!status.is_successful() || !self.must_not_have_run(step));
        }
        let count = |wanted| self.ended.iter().filter(|&&status| status == Some(wanted)).count();
        for status in [StepStatus::Completed, StepStatus::Failed, StepStatus::Skipped] {
            assert_eq!(scheduler.counts().of(status), count(status));
        }
        let successful = count(StepStatus::Completed) + count(StepStatus::Cached);
        let expected = match () {
            () if successful == self.ended.len() => RunStatus::Completed,
            () if self.cancelled => RunStatus::Cancelled,
            () => RunStatus::Failed,
        };
        assert_eq!(run, expected);
    }

    fn must_not_have_run(&self, step: usize) -> bool {
        !self.plan.steps[step].committed && self.has_failed_upstream(step)
    }
}

/// A scheduler under the eyes of a referee.
struct Game {
    scheduler: Scheduler,
    referee: Referee,
    actions: Vec<Action>,
    /// Whether the limits that some steps keep to are reached.
    is_full: bool,
}

impl Game {
    fn play(&mut self, event: Event) {
        self.referee.tell(event);
        self.scheduler.handle(event, &mut self.actions);
        let mut held_back = Vec::new();
        for action in self.actions.drain(..) {
            self.referee.see(action);
            match action {
                Action::Launch { step, attempt }
                    if self.is_full && self.referee.plan.steps[step].limits > 0 =>
                {
                    held_back.push(Event::HeldBack { step, attempt });
                }
                _ => {}
            }
        }
        let counts = self.scheduler.counts();
        assert_eq!(counts.of(StepStatus::Running), self.referee.running.len());
        assert_eq!(counts.total(), self.referee.ended.len());
        held_back.into_iter().for_each(|event| self.play(event));
    }

    fn set_full(&mut self, is_full: bool) {
        self.is_full = is_full;
        if !is_full {
            self.play(Event::LimitsFreed);
        }
    }

    /// Plays by the luck given, then in good order until nothing is left to do.
    fn finish(mut self, luck: Vec<u16>) {
        self.play(Event::Start);
        for luck in luck {
            self.play_by(luck);
        }
        self.set_full(false);
        let bound = 20 * (self.referee.ended.len() + 1);
        for _ in 0..bound {
            let answers = [Resolved::Run; 3];
            let moves = self.referee.moves(answers, [Outcome::Completed; 6]);
            match moves.first() {
                Some(&event) if self.referee.run.is_none() => self.play(event),
                _ => break,
            }
        }
        self.referee.check_end(&self.scheduler);
        for event in [Event::Start, Event::CancelRequested] {
            self.play(event);
        }
    }

    fn play_by(&mut self, luck: u16) {
        use Outcome::{Cancelled, Completed, Failed, Lost};
        let answers = [Resolved::Run, Resolved::Cached, Resolved::Run];
        let outcomes = [Completed, Failed, Failed, Completed, Lost, Cancelled];
        let (kind, luck) = (luck % 64, usize::from(luck / 64));
        let step = luck % self.referee.ended.len().max(1);
        let attempt = (luck / 8 % 4) as u32;
        let stale = |running: Option<&(u32, bool)>| running.is_none_or(|(now, _)| *now != attempt);
        match kind {
            0 if luck % 4 == 0 => self.play(Event::CancelRequested),
            1 => self.play(Event::Start),
            7 | 8 => self.set_full(!self.is_full),
            2..5 if stale(self.referee.running.get(&step)) => {
                self.play(Event::Ended { step, attempt, outcome: outcomes[luck % 6] });
            }
            5 if !self.referee.resolving.contains(&step) => {
                self.play(Event::Resolved { step, answer: Resolved::Failed });
            }
            6 if self.referee.resolving.contains(&step) => {
                self.play(Event::Resolved { step, answer: Resolved::Failed });
            }
            _ => {
                let moves = self.referee.moves(answers, outcomes);
                // Interrupts and losses end most runs early; leave them to one luck in four.
                let rare =
                    |event: &Event| matches!(event, Event::Ended { outcome: Cancelled | Lost, .. });
                let moves: Vec<_> = moves.into_iter().filter(|m| kind < 16 || !rare(m)).collect();
                if !moves.is_empty() {
                    self.play(moves[luck % moves.len()]);
                }
            }
        }
    }
}

fn rules() -> impl Strategy<Value = StepPlan> {
    let committed = prop::bool::weighted(0.1);
    let place = (0..2_usize, 0..4_u64, 0..3_u32);
    (0..4_u32, any::<bool>(), any::<bool>(), 1..4_u32, place, committed).prop_map(
        |(max_retries, waits, times_out, first_attempt, (pool, millicores, limits), committed)| {
            StepPlan {
                retry: Retry { max_retries, delay: f64::from(u8::from(waits)), backoff: 2.0 },
                timeout: times_out.then_some(Duration::from_secs(10)),
                first_attempt,
                pool,
                needs: Amounts { millicores, ..Amounts::default() },
                limits,
                committed,
            }
        },
    )
}

fn pool((slots, millicores): (usize, u64)) -> Pool {
    let supply = Amounts { millicores, ..Amounts::default() };
    Pool { max_parallelism: NonZeroUsize::new(slots).expect("at least one"), supply }
}

fn graphs() -> impl Strategy<Value = Vec<Vec<usize>>> {
    vec(any::<u16>(), 0..14).prop_map(|masks| {
        let upstream = |(step, mask): (usize, u16)| {
            // Half of the possible edges at most, so that graphs are wide as often as deep.
            (0..step).filter(move |up| mask & (mask >> 3) & (1 << up) != 0).collect()
        };
        masks.into_iter().enumerate().map(upstream).collect()
    })
}

fn modes() -> impl Strategy<Value = FailureMode> {
    use FailureMode::{ContinueOnFailure, FailFast, StopOnFailure};
    prop_oneof![Just(FailFast), Just(StopOnFailure), Just(ContinueOnFailure)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_run_keeps_the_rules_and_ends(
        upstream in graphs(),
        steps in vec(rules(), 14),
        failure_mode in modes(),
        slots in vec((1..5_usize, 0..4_u64), 1..3),
        luck in vec(any::<u16>(), 0..120),
    ) {
        let plan = Plan {
            graph: Graph::from_upstream(upstream.iter().cloned()).expect("rows are in order"),
            steps: steps[..upstream.len()].to_vec(),
            failure_mode,
            pools: slots.into_iter().map(pool).collect(),
            grace: Duration::from_secs(30),
        };
        let scheduler = Scheduler::new(plan.clone());
        Game { scheduler, referee: Referee::new(upstream, plan), actions: Vec::new(), is_full: false }
            .finish(luck);
    }
}
