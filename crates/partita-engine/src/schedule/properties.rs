//! The scheduler against random graphs, rules and luck, watched by a referee that knows the rules.

mod referee;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use partita_core::launcher::Unit;
use partita_core::settings::{Amounts, FailureMode, Retry};
use partita_core::status::StepStatus;
use proptest::collection::vec;
use proptest::prelude::*;

use super::event::{Action, Event, Outcome, Resolved};
use super::graph::Graph;
use super::plan::{BegunItem, Plan, Pool, StepPlan};
use super::scheduler::Scheduler;
use referee::Referee;

/// A scheduler under the eyes of a referee.
struct Game {
    scheduler: Scheduler,
    referee: Referee,
    actions: Vec<Action>,
    /// Whether the limits that some steps keep to are reached.
    is_full: bool,
    /// Whether the launcher takes nothing.
    is_coy: bool,
}

impl Game {
    fn play(&mut self, event: Event) {
        self.referee.tell(event);
        self.scheduler.handle(event, &mut self.actions);
        let mut not_begun = Vec::new();
        for action in self.actions.drain(..) {
            self.referee.see(action);
            match action {
                Action::Launch { step, attempt } if self.is_coy => {
                    not_begun.push(Event::PutOff { step, attempt });
                }
                Action::Launch { step, attempt }
                    if self.is_full && self.referee.limits(step) > 0 =>
                {
                    not_begun.push(Event::HeldBack { step, attempt });
                }
                _ => {}
            }
        }
        let counts = self.scheduler.counts();
        let is_open = |step: &&usize| self.referee.ended[**step].is_none();
        let mapped = self.referee.items.keys().filter(is_open).count();
        assert_eq!(counts.of(StepStatus::Running), self.referee.running.len() + mapped);
        assert_eq!(counts.total(), self.referee.ended.len());
        not_begun.into_iter().for_each(|event| self.play(event));
    }

    fn set_full(&mut self, is_full: bool) {
        self.is_full = is_full;
        if !is_full {
            self.play(Event::LimitsFreed);
        }
    }

    fn set_coy(&mut self, is_coy: bool) {
        self.is_coy = is_coy;
        if !is_coy {
            self.play(Event::Asked { step: None });
        }
    }

    /// Plays by the luck given, then in good order until nothing is left to do.
    fn finish(mut self, luck: Vec<u16>) {
        self.play(Event::Start);
        for luck in luck {
            self.play_by(luck);
        }
        self.set_full(false);
        self.set_coy(false);
        let bound = 80 * (self.referee.ended.len() + 1);
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
            9 | 10 => self.set_full(!self.is_full),
            11 | 12 => self.set_coy(!self.is_coy),
            13 => self.play(Event::Asked { step: Some(step) }),
            2..5 if stale(self.referee.running.get(&step)) => {
                self.play(Event::Ended { step, attempt, outcome: outcomes[luck % 6] });
            }
            5 if !self.referee.resolving.contains(&step) => {
                self.play(Event::Resolved { step, answer: Resolved::Failed });
            }
            6 if self.referee.resolving.contains(&step) => {
                self.play(Event::Resolved { step, answer: Resolved::Failed });
            }
            7 => self.play(Event::Expanded { step, items: None }),
            8 => self.play(Event::Gathered { step, status: StepStatus::Failed }),
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
    let flags = (prop::bool::weighted(0.1), prop::bool::weighted(0.3));
    let place = (0..2_usize, 0..4_u64, 0..3_u32);
    (0..4_u32, any::<bool>(), any::<bool>(), 1..4_u32, place, flags).prop_map(
        |(max_retries, waits, times_out, first_attempt, (pool, millicores, limits), flags)| {
            StepPlan {
                retry: Retry { max_retries, delay: f64::from(u8::from(waits)), backoff: 2.0 },
                timeout: times_out.then_some(Duration::from_secs(10)),
                first_attempt,
                pool,
                needs: Amounts { millicores, ..Amounts::default() },
                limits,
                committed: flags.0,
                mapped: flags.1,
            }
        },
    )
}

fn begun_items() -> impl Strategy<Value = HashMap<Unit, BegunItem>> {
    let item = (0..14_usize, 0..3_u32, 1..4_u32, any::<bool>());
    vec(item, 0..12).prop_map(|items| {
        let begun = |(step, item, first_attempt, committed)| {
            (Unit::item(step, item), BegunItem { first_attempt, committed })
        };
        items.into_iter().map(begun).collect()
    })
}

fn pool((slots, millicores): (usize, u64)) -> Pool {
    let supply = Amounts { millicores, ..Amounts::default() };
    Pool { supply, ..Pool::of(NonZeroUsize::new(slots).expect("at least one")) }
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
        begun_items in begun_items(),
        failure_mode in modes(),
        slots in vec((1..5_usize, 0..4_u64), 1..3),
        luck in vec(any::<u16>(), 0..120),
    ) {
        let plan = Plan {
            graph: Graph::from_upstream(upstream.iter().cloned()).expect("rows are in order"),
            steps: steps[..upstream.len()].to_vec(),
            begun_items,
            failure_mode,
            pools: slots.into_iter().map(pool).collect(),
        };
        let scheduler = Scheduler::new(plan.clone());
        Game { scheduler, referee: Referee::new(upstream, plan), actions: Vec::new(), is_full: false, is_coy: false }
            .finish(luck);
    }
}
