//! Runs of the scheduler written out: an event a line, what follows from it, and where steps stand.

mod maps;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use partita_core::settings::{Amounts, FailureMode, Retry};
use partita_core::status::StepStatus;

use super::event::{Action, Because, Event, Outcome, Resolved, Timer};
use super::graph::Graph;
use super::plan::{Plan, Pool, StepPlan};
use super::scheduler::Scheduler;
use super::state::{StepState, Stop};

/// A plan for the steps whose upstream steps are given; two may run at once.
fn plan(upstream: &[&[usize]], failure_mode: FailureMode) -> Plan {
    let rows = upstream.iter().map(|row| row.iter().copied());
    Plan {
        graph: Graph::from_upstream(rows).expect("rows are in order"),
        steps: vec![StepPlan::default(); upstream.len()],
        begun_items: HashMap::new(),
        failure_mode,
        pools: slots(2),
    }
}

/// One pool in which so many may run at once.
fn slots(count: usize) -> Vec<Pool> {
    vec![Pool::of(NonZeroUsize::new(count).expect("at least one"))]
}

fn needing(millicores: u64) -> StepPlan {
    StepPlan { needs: Amounts { millicores, ..Amounts::default() }, ..StepPlan::default() }
}

fn fail_fast(upstream: &[&[usize]]) -> Plan {
    plan(upstream, FailureMode::FailFast)
}

fn with_step(mut plan: Plan, step: usize, rules: StepPlan) -> Plan {
    plan.steps[step] = rules;
    plan
}

fn retried(max_retries: u32, delay: f64) -> StepPlan {
    StepPlan { retry: Retry { max_retries, delay, backoff: 2.0 }, ..StepPlan::default() }
}

/// Plays a table of `event: actions | states` and compares every line with what really follows.
#[track_caller]
fn check(plan: Plan, table: &str) {
    let mut scheduler = Scheduler::new(plan);
    let mut actions = Vec::new();
    for line in table.trim().lines().map(str::trim) {
        let (event, _) = line.split_once(':').expect(line);
        scheduler.handle(read(event), &mut actions);
        let shown: Vec<_> = actions.drain(..).map(show).collect();
        let states: Vec<_> = scheduler.states().iter().copied().map(show_state).collect();
        let follows = format!("{event}: {} | {}", shown.join(", "), states.join(" "));
        assert_eq!(follows.trim_end(), line);
    }
}

fn read(event: &str) -> Event {
    let (word, rest) = event.split_once(' ').unwrap_or((event, "0"));
    let (step, attempt) = rest.split_once('.').unwrap_or((rest, "1"));
    let step = step.parse().expect(event);
    let attempt = attempt.parse().expect(event);
    let resolved = |answer| Event::Resolved { step, answer };
    let ended = |outcome| Event::Ended { step, attempt, outcome };
    let gathered = |status| Event::Gathered { step, status };
    let fired = |timer| Event::TimerFired { step, attempt, timer };
    match word {
        "start" => Event::Start,
        "cancel" => Event::CancelRequested,
        "cached" => resolved(Resolved::Cached),
        "run" => resolved(Resolved::Run),
        "unresolved" => resolved(Resolved::Failed),
        "expanded" => Event::Expanded { step, items: Some(attempt) },
        "unexpanded" => Event::Expanded { step, items: None },
        "gathered" => gathered(StepStatus::Completed),
        "gathered-cached" => gathered(StepStatus::Cached),
        "ungathered" => gathered(StepStatus::Failed),
        "done" => ended(Outcome::Completed),
        "fail" => ended(Outcome::Failed),
        "interrupt" => ended(Outcome::Cancelled),
        "lose" => ended(Outcome::Lost),
        "deserted" => ended(Outcome::NoOrchestrator),
        "timeout" => fired(Timer::Timeout),
        "retry" => fired(Timer::Retry),
        "grace" => fired(Timer::Grace),
        _ => panic!("no such event: {event}"),
    }
}

fn show(action: Action) -> String {
    match action {
        Action::Resolve { step } => format!("resolve {step}"),
        Action::Expand { step } => format!("expand {step}"),
        Action::Gather { step } => format!("gather {step}"),
        Action::Launch { step, attempt } => format!("launch {step}.{attempt}"),
        Action::Cancel { step, attempt } => format!("cancel {step}.{attempt}"),
        Action::SetTimer { step, attempt, timer, after } => {
            format!("{timer:?} {step}.{attempt} after {after:?}").to_lowercase()
        }
        Action::AttemptFailed { step, attempt, cause, retry_in } => match retry_in {
            Some(wait) => format!("{step}.{attempt} {cause:?} again in {wait:?}").to_lowercase(),
            None => format!("{step}.{attempt} {cause:?}").to_lowercase(),
        },
        Action::StepEnded { step, status, because } => match because {
            None => format!("{step} {status}"),
            Some(Because::UpstreamFailed { step: failed }) => {
                format!("{step} {status} by {failed}")
            }
            Some(Because::RunStopped { step: failed }) => format!("{step} {status} after {failed}"),
            Some(Because::RunCancelled) => format!("{step} {status} on request"),
            Some(Because::NoOrchestrator) => format!("{step} {status} deserted"),
        },
        Action::RunEnded { status } => format!("run {status}"),
    }
}

fn show_state(state: StepState) -> String {
    match state {
        StepState::Waiting { upstream } => format!("waits{upstream}"),
        StepState::Resolving => "resolving".to_owned(),
        StepState::Ready { attempt } => format!("ready.{attempt}"),
        StepState::Running { attempt } => format!("running.{attempt}"),
        StepState::Stopping { attempt, why: Stop::Run } => format!("stopping.{attempt}"),
        StepState::Stopping { attempt, why: Stop::TimedOut } => format!("late.{attempt}"),
        StepState::Delayed { attempt } => format!("delayed.{attempt}"),
        StepState::Mapped { left, worst: None } => format!("mapped{left}"),
        StepState::Mapped { left, worst: Some(worst) } => format!("mapped{left}-{worst}"),
        StepState::Gathering => "gathering".to_owned(),
        StepState::Ended(status) => status.to_string(),
    }
}

#[test]
fn a_run_without_steps_completes_at_once() {
    check(fail_fast(&[]), "start: run completed |");
}

#[test]
fn a_step_begins_when_all_its_upstream_steps_are_done() {
    check(
        fail_fast(&[&[], &[], &[0, 1]]),
        "start: resolve 0, resolve 1 | resolving resolving waits2
         run 1: launch 1.1 | resolving running.1 waits2
         run 0: launch 0.1 | running.1 running.1 waits2
         done 1.1: 1 completed | running.1 completed waits1
         done 0.1: 0 completed, resolve 2 | completed completed resolving
         run 2: launch 2.1 | completed completed running.1
         done 2.1: 2 completed, run completed | completed completed completed",
    );
}

#[test]
fn the_first_ready_step_gets_the_slot_and_a_cached_one_needs_none() {
    check(
        fail_fast(&[&[], &[], &[], &[], &[2]]),
        "start: resolve 0, resolve 1, resolve 2, resolve 3 | \
         resolving resolving resolving resolving waits1
         run 0: launch 0.1 | running.1 resolving resolving resolving waits1
         run 3: launch 3.1 | running.1 resolving resolving running.1 waits1
         cached 2: 2 cached, resolve 4 | running.1 resolving cached running.1 resolving
         run 4:  | running.1 resolving cached running.1 ready.1
         run 1:  | running.1 ready.1 cached running.1 ready.1
         done 3.1: 3 completed, launch 1.1 | running.1 running.1 cached completed ready.1
         done 0.1: 0 completed, launch 4.1 | completed running.1 cached completed running.1",
    );
}

#[test]
fn a_wait_for_a_retry_grows_and_holds_no_slot() {
    let one_slot = Plan { pools: slots(1), ..fail_fast(&[&[], &[]]) };
    check(
        with_step(one_slot, 0, retried(2, 2.0)),
        "start: resolve 0, resolve 1 | resolving resolving
         run 0: launch 0.1 | running.1 resolving
         run 1:  | running.1 ready.1
         fail 0.1: 0.1 reported again in 2s, retry 0.2 after 2s, launch 1.1 | delayed.2 running.1
         retry 0.2:  | ready.2 running.1
         done 1.1: 1 completed, launch 0.2 | running.2 completed
         fail 0.2: 0.2 reported again in 4s, retry 0.3 after 4s | delayed.3 completed
         retry 0.3: launch 0.3 | running.3 completed
         fail 0.3: 0.3 reported, 0 failed, run failed | failed completed",
    );
}

#[test]
fn a_retry_without_delay_needs_no_timer() {
    check(
        with_step(fail_fast(&[&[]]), 0, retried(1, 0.0)),
        "start: resolve 0 | resolving
         run 0: launch 0.1 | running.1
         fail 0.1: 0.1 reported again in 0ns, launch 0.2 | running.2
         done 0.2: 0 completed, run completed | completed",
    );
}

#[test]
fn late_repeated_and_stale_events_change_nothing() {
    check(
        with_step(fail_fast(&[&[], &[0]]), 0, retried(1, 1.0)),
        "run 0:  | waits0 waits1
         start: resolve 0 | resolving waits1
         start:  | resolving waits1
         run 7:  | resolving waits1
         done 0.1:  | resolving waits1
         run 0: launch 0.1 | running.1 waits1
         cached 0:  | running.1 waits1
         grace 0.1:  | running.1 waits1
         done 0.2:  | running.1 waits1
         fail 0.1: 0.1 reported again in 1s, retry 0.2 after 1s | delayed.2 waits1
         done 0.1:  | delayed.2 waits1
         timeout 0.1:  | delayed.2 waits1
         retry 0.1:  | delayed.2 waits1
         retry 0.2: launch 0.2 | running.2 waits1
         fail 0.1:  | running.2 waits1
         done 0.2: 0 completed, resolve 1 | completed resolving
         fail 0.2:  | completed resolving
         cached 1: 1 cached, run completed | completed cached
         cancel:  | completed cached",
    );
}

#[test]
fn fail_fast_cancels_what_runs_and_starts_nothing_more() {
    check(
        fail_fast(&[&[], &[], &[0], &[1], &[]]),
        "start: resolve 0, resolve 1, resolve 4 | resolving resolving waits1 waits1 resolving
         run 0: launch 0.1 | running.1 resolving waits1 waits1 resolving
         run 1: launch 1.1 | running.1 running.1 waits1 waits1 resolving
         fail 0.1: 0.1 reported, 0 failed, 2 skipped by 0, cancel 1.1, grace 1.1 after 30s, \
         3 skipped after 0, 4 skipped after 0 | failed stopping.1 skipped skipped skipped
         run 4:  | failed stopping.1 skipped skipped skipped
         fail 1.1: 1 cancelled after 0, run failed | failed cancelled skipped skipped skipped",
    );
}

#[test]
fn stop_on_failure_finishes_what_runs_but_retries_nothing() {
    let plan = plan(&[&[], &[], &[1], &[]], FailureMode::StopOnFailure);
    let plan = Plan { pools: slots(3), ..plan };
    check(
        with_step(with_step(plan, 1, retried(1, 5.0)), 3, retried(3, 5.0)),
        "start: resolve 0, resolve 1, resolve 3 | resolving resolving waits1 resolving
         run 0: launch 0.1 | running.1 resolving waits1 resolving
         run 1: launch 1.1 | running.1 running.1 waits1 resolving
         run 3: launch 3.1 | running.1 running.1 waits1 running.1
         fail 3.1: 3.1 reported again in 5s, retry 3.2 after 5s | \
         running.1 running.1 waits1 delayed.2
         fail 0.1: 0.1 reported, 0 failed, 2 skipped after 0, 3 failed after 0 | \
         failed running.1 skipped failed
         retry 3.2:  | failed running.1 skipped failed
         fail 1.1: 1.1 reported, 1 failed, run failed | failed failed skipped failed",
    );
}

#[test]
fn continue_on_failure_skips_only_what_is_downstream() {
    check(
        plan(&[&[], &[], &[0], &[2, 1], &[1]], FailureMode::ContinueOnFailure),
        "start: resolve 0, resolve 1 | resolving resolving waits1 waits2 waits1
         run 0: launch 0.1 | running.1 resolving waits1 waits2 waits1
         fail 0.1: 0.1 reported, 0 failed, 2 skipped by 0, 3 skipped by 0 | \
         failed resolving skipped skipped waits1
         cached 1: 1 cached, resolve 4 | failed cached skipped skipped resolving
         unresolved 4: 4 failed, run failed | failed cached skipped skipped failed",
    );
}

#[test]
fn a_timed_out_attempt_is_retried_once_it_has_ended() {
    let rules = StepPlan { timeout: Some(Duration::from_secs(10)), ..retried(1, 0.0) };
    check(
        with_step(fail_fast(&[&[]]), 0, rules),
        "start: resolve 0 | resolving
         run 0: launch 0.1, timeout 0.1 after 10s | running.1
         timeout 0.1: cancel 0.1, grace 0.1 after 30s | late.1
         timeout 0.1:  | late.1
         interrupt 0.1: 0.1 timedout again in 0ns, launch 0.2, timeout 0.2 after 10s | running.2
         grace 0.1:  | running.2
         timeout 0.2: cancel 0.2, grace 0.2 after 30s | late.2
         grace 0.2: 0.2 lost, 0 failed, run failed | failed",
    );
}

#[test]
fn a_commit_counts_after_the_timeout_and_after_the_cancellation() {
    let rules = StepPlan { timeout: Some(Duration::from_secs(10)), ..StepPlan::default() };
    check(
        with_step(fail_fast(&[&[], &[0]]), 0, rules),
        "start: resolve 0 | resolving waits1
         run 0: launch 0.1, timeout 0.1 after 10s | running.1 waits1
         timeout 0.1: cancel 0.1, grace 0.1 after 30s | late.1 waits1
         done 0.1: 0 completed, resolve 1 | completed resolving
         run 1: launch 1.1 | completed running.1
         cancel: cancel 1.1, grace 1.1 after 30s | completed stopping.1
         done 1.1: 1 completed, run completed | completed completed",
    );
}

#[test]
fn an_attempt_that_may_still_run_is_not_retried() {
    check(
        with_step(fail_fast(&[&[]]), 0, retried(3, 0.0)),
        "start: resolve 0 | resolving
         run 0: launch 0.1 | running.1
         lose 0.1: 0.1 lost, 0 failed, run failed | failed",
    );
}

#[test]
fn an_orchestrator_that_cannot_be_opened_fails_the_run_and_no_step() {
    let plan = plan(&[&[], &[], &[0]], FailureMode::ContinueOnFailure);
    check(
        with_step(plan, 0, retried(5, 1.0)),
        "start: resolve 0, resolve 1 | resolving resolving waits1
         run 0: launch 0.1 | running.1 resolving waits1
         run 1: launch 1.1 | running.1 running.1 waits1
         deserted 0.1: 0 skipped deserted, cancel 1.1, grace 1.1 after 30s, 2 skipped deserted | \
         skipped stopping.1 skipped
         deserted 1.1: 1 skipped deserted, run failed | skipped skipped skipped",
    );
}

#[test]
fn a_step_that_has_failed_is_not_called_skipped_where_its_orchestrator_fails_before_its_next_try() {
    let plan = plan(&[&[], &[0]], FailureMode::FailFast);
    check(
        with_step(plan, 0, retried(5, 0.0)),
        "start: resolve 0 | resolving waits1
         run 0: launch 0.1 | running.1 waits1
         fail 0.1: 0.1 reported again in 0ns, launch 0.2 | running.2 waits1
         deserted 0.2: 0 failed deserted, 1 skipped deserted, run failed | failed skipped",
    );
}

#[test]
fn cancelling_ends_everything_and_fails_nothing() {
    let plan = fail_fast(&[&[], &[], &[0], &[]]);
    check(
        with_step(plan, 1, retried(5, 1.0)),
        "start: resolve 0, resolve 1, resolve 3 | resolving resolving waits1 resolving
         run 0: launch 0.1 | running.1 resolving waits1 resolving
         run 1: launch 1.1 | running.1 running.1 waits1 resolving
         fail 1.1: 1.1 reported again in 1s, retry 1.2 after 1s | \
         running.1 delayed.2 waits1 resolving
         cancel: cancel 0.1, grace 0.1 after 30s, 1 cancelled on request, \
         2 cancelled on request, 3 cancelled on request | stopping.1 cancelled cancelled cancelled
         cancel:  | stopping.1 cancelled cancelled cancelled
         fail 0.1: 0 cancelled on request, run cancelled | \
         cancelled cancelled cancelled cancelled",
    );
}

#[test]
fn a_cancelled_attempt_that_never_ends_does_not_hold_the_run() {
    check(
        fail_fast(&[&[]]),
        "start: resolve 0 | resolving
         run 0: launch 0.1 | running.1
         cancel: cancel 0.1, grace 0.1 after 30s | stopping.1
         grace 0.1: 0 cancelled on request, run cancelled | cancelled",
    );
}

#[test]
fn an_interrupted_attempt_cancels_the_run() {
    check(
        with_step(fail_fast(&[&[], &[0]]), 0, retried(5, 0.0)),
        "start: resolve 0 | resolving waits1
         run 0: launch 0.1 | running.1 waits1
         interrupt 0.1: 0 cancelled on request, 1 cancelled on request, run cancelled | \
         cancelled cancelled",
    );
}

#[test]
fn cancelling_a_run_that_stops_on_failure_cancels_what_still_runs() {
    check(
        plan(&[&[], &[]], FailureMode::StopOnFailure),
        "start: resolve 0, resolve 1 | resolving resolving
         run 0: launch 0.1 | running.1 resolving
         run 1: launch 1.1 | running.1 running.1
         fail 0.1: 0.1 reported, 0 failed | failed running.1
         cancel: cancel 1.1, grace 1.1 after 30s | failed stopping.1
         interrupt 1.1: 1 cancelled on request, run cancelled | failed cancelled",
    );
}

#[test]
fn a_run_cancelled_before_it_starts_starts_nothing() {
    check(
        fail_fast(&[&[], &[0]]),
        "cancel: 0 cancelled on request, 1 cancelled on request, run cancelled | \
         cancelled cancelled
         start:  | cancelled cancelled",
    );
}

#[test]
fn a_resumed_run_continues_after_its_commits_with_the_next_attempt_numbers() {
    let plan = plan(&[&[], &[0], &[1]], FailureMode::FailFast);
    let plan = with_step(plan, 0, StepPlan { committed: true, ..StepPlan::default() });
    check(
        with_step(plan, 1, StepPlan { first_attempt: 4, ..retried(1, 0.0) }),
        "start: resolve 1 | completed resolving waits1
         run 1: launch 1.4 | completed running.4 waits1
         fail 1.4: 1.4 reported again in 0ns, launch 1.5 | completed running.5 waits1
         fail 1.5: 1.5 reported, 1 failed, 2 skipped by 1, run failed | completed failed skipped",
    );
}

#[test]
fn a_run_whose_steps_are_all_committed_completes_at_once() {
    let committed = StepPlan { committed: true, ..StepPlan::default() };
    check(with_step(fail_fast(&[&[]]), 0, committed), "start: run completed | completed");
}

#[test]
fn a_step_waits_until_what_it_needs_is_left_and_holds_nobody_up_who_needs_less() {
    let mut plan = fail_fast(&[&[], &[], &[], &[]]);
    let supply = Amounts { millicores: 2_000, ..Amounts::default() };
    plan.pools = vec![Pool { supply, ..Pool::default() }];
    plan.steps = vec![needing(1_500), needing(9_000), needing(500), needing(0)];
    check(
        plan,
        "start: resolve 0, resolve 1, resolve 2, resolve 3 | resolving resolving resolving resolving
         run 0: launch 0.1 | running.1 resolving resolving resolving
         run 1:  | running.1 ready.1 resolving resolving
         run 2: launch 2.1 | running.1 ready.1 running.1 resolving
         run 3: launch 3.1 | running.1 ready.1 running.1 running.1
         done 0.1: 0 completed | completed ready.1 running.1 running.1
         done 2.1: 2 completed, launch 1.1 | completed running.1 completed running.1",
    );
}

#[test]
fn pools_do_not_share_their_slots() {
    let mut plan = fail_fast(&[&[], &[], &[]]);
    plan.pools = [slots(1), slots(1)].concat();
    plan.steps[2].pool = 1;
    check(
        plan,
        "start: resolve 0, resolve 1, resolve 2 | resolving resolving resolving
         run 0: launch 0.1 | running.1 resolving resolving
         run 1:  | running.1 ready.1 resolving
         run 2: launch 2.1 | running.1 ready.1 running.1",
    );
}
