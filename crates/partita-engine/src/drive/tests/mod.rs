//! The driver with a scripted launcher in virtual time: all that happens, line by line.

mod backend;
mod documents;
mod fake;
mod maps;
mod threads;

use std::sync::Arc;

use fake::Act::{
    CancelRun, Commit, CommitAndFail, CommitAndIgnore, CommitAndInterrupt, Complete, Deaf, Fail,
    FailTwice, Hang, Ignore, Interrupt, Pretend, Record, RecordInterrupt,
};
use fake::{Script, VirtualClock, failure, result};
use partita_core::deployment::StepConfig;
use partita_core::settings::{FailureMode, Retry, Span};
use partita_core::status::StepStatus;

use super::{Drive, Driver, Resolution};
use crate::schedule::{Plan, Pool};

fn retry(max_retries: u32, delay: f64) -> StepConfig {
    let retry = Retry { max_retries, delay, backoff: 2.0 };
    StepConfig { retry, ..StepConfig::default() }
}

fn timeout(seconds: f64) -> StepConfig {
    StepConfig { timeout: Some(Span(seconds)), ..StepConfig::default() }
}

/// Runs a script and compares everything that happened, with the time at which it did.
#[track_caller]
fn check(script: &Script, expected: &str) {
    check_run(script, |_| {}, |_| {}, expected);
}

#[track_caller]
fn check_run(
    script: &Script,
    change: impl FnOnce(&mut Plan),
    before: impl FnOnce(&mut Driver<'_>),
    expected: &str,
) {
    let deployment = Arc::new(script.deployment.clone());
    let run_id: Arc<str> = "run".into();
    let drive = Drive {
        deployment: &deployment,
        run_id: &run_id,
        launcher: script,
        resolver: script,
        limits: script,
        observers: &[script],
    };
    let mut plan =
        Plan::of(&deployment, vec![Pool::of(script.slots)]).expect("the steps are in order");
    change(&mut plan);
    let mut driver = Driver::with_clock(plan, drive, Box::new(VirtualClock(script)));
    script.state().cancel = Some(driver.cancel_handle());
    before(&mut driver);
    let outcome = driver.run();
    let log = script.state().log.join("\n");
    let expected: Vec<_> = expected.trim().lines().map(str::trim).collect();
    assert_eq!(log, expected.join("\n"));
    assert!(log.contains(&format!("run {}", outcome.status)));
    let is_mapped = deployment.steps.iter().any(|step| step.map_over.is_some());
    assert!(is_mapped || outcome.failed.len() == outcome.counts.of(StepStatus::Failed));
}

#[test]
fn steps_run_in_order_with_the_reason_why_they_are_not_cached() {
    let reason = Some("its source changed".into());
    check(
        &Script::new(&[&[], &[0]]).resolve(1, Resolution::Run { reason }),
        "0s launch a.1
         0s a completed
         0s launch b.1 since its source changed
         0s b completed
         0s run completed",
    );
}

#[test]
fn a_cached_step_is_not_launched() {
    check(
        &Script::new(&[&[], &[0]]).resolve(0, Resolution::Cached(result(0))),
        "0s a cached
         0s launch b.1
         0s b completed
         0s run completed",
    );
}

#[test]
fn a_failed_look_up_fails_the_step() {
    check(
        &Script::new(&[&[]]).resolve(0, Resolution::Failed(failure("unreadable"))),
        "0s a failed
         0s run failed: the step `a` failed: ValueError: unreadable",
    );
}

#[test]
fn an_attempt_s_own_record_says_more_of_its_failure_than_its_launcher() {
    check(
        &Script::new(&[&[]]).act(0, [Record("bad data")]),
        "0s launch a.1
         0s failed a.1: bad data
         0s a failed
         0s run failed: the step `a` failed: ValueError: bad data",
    );
}

#[test]
fn an_attempt_that_somebody_else_interrupted_has_failed_and_is_retried() {
    check(
        &Script::new(&[&[]]).act(0, [RecordInterrupt, Complete]).config(0, retry(2, 3.0)),
        "0s launch a.1
         0s failed a.1, again in 3s: exit code 1
         3s launch a.2
         3s a completed
         3s run completed",
    );
}

#[test]
fn a_step_under_a_limit_waits_without_holding_up_others_or_losing_time() {
    let limited = |timeout: Option<Span>| StepConfig {
        limits: [("licence".to_owned(), 2)].into(),
        timeout,
        ..StepConfig::default()
    };
    check(
        &Script::new(&[&[], &[], &[]])
            .slots(1)
            .full_until(60)
            .config(0, limited(Some(Span(10.0))))
            .act(0, [Hang])
            .config(1, limited(None)),
        "0s a waits for licence, held by [\"other\"]
         0s launch c.1
         0s c completed
         60s launch a.1
         70s cancel 0.1
         70s failed a.1: timed out after 10s; raise the step's `timeout` if it needs longer
         70s a failed
         70s b skipped, the run stopped since `a` failed
         70s run failed: the step `a` failed: timed out after 10s; raise the step's `timeout` if it needs longer",
    );
}

#[test]
fn a_step_that_its_launcher_does_not_take_yet_holds_nothing_and_has_not_begun() {
    check(
        &Script::new(&[&[], &[], &[1]])
            .slots(1)
            .put_off(0, 60)
            .config(0, timeout(10.0))
            .act(0, [Hang]),
        "0s launch b.1
         0s b completed
         0s launch c.1
         0s c completed
         60s launch a.1
         70s cancel 0.1
         70s failed a.1: timed out after 10s; raise the step's `timeout` if it needs longer
         70s a failed
         70s run failed: the step `a` failed: timed out after 10s; raise the step's `timeout` if it needs longer",
    );
}

#[test]
fn a_run_whose_launcher_asks_for_no_step_is_cancelled_all_the_same() {
    check(
        &Script::new(&[&[], &[]]).put_off(0, 60).act(1, [CancelRun]),
        "0s launch b.1
         0s cancel requested
         0s a cancelled, the run was cancelled
         0s cancel 1.1
         0s cancel 1.1
         0s b cancelled, the run was cancelled
         0s run cancelled",
    );
}

#[test]
fn retries_wait_longer_each_time_while_others_run() {
    check(
        &Script::new(&[&[], &[]])
            .slots(1)
            .act(0, [Fail("one"), Fail("two"), Complete])
            .config(0, retry(2, 3.0)),
        "0s launch a.1
         0s failed a.1, again in 3s: one
         0s launch b.1
         0s b completed
         3s launch a.2
         3s failed a.2, again in 6s: two
         9s launch a.3
         9s a completed
         9s run completed",
    );
}

#[test]
fn every_failed_step_counts_and_the_first_is_told() {
    check(
        &Script::new(&[&[], &[], &[1], &[]])
            .act(0, [Fail("one")])
            .act(1, [Fail("two")])
            .mode(FailureMode::ContinueOnFailure),
        "0s launch a.1
         0s failed a.1: one
         0s a failed
         0s launch b.1
         0s failed b.1: two
         0s b failed
         0s c skipped, its upstream step `b` failed
         0s launch d.1
         0s d completed
         0s run failed: the step `a` failed: ValueError: one; one more step failed",
    );
}

#[test]
fn a_timed_out_attempt_is_cancelled_and_retried() {
    check(
        &Script::new(&[&[]])
            .act(0, [Hang, Complete])
            .config(0, StepConfig { timeout: Some(Span(10.0)), ..retry(1, 5.0) }),
        "0s launch a.1
         10s cancel 0.1
         10s failed a.1, again in 5s: timed out after 10s; raise the step's `timeout` if it needs longer
         15s launch a.2
         15s a completed
         15s run completed",
    );
}

#[test]
fn a_launcher_that_never_confirms_does_not_hang_the_run() {
    let text = "timed out after 10s and did not end within 35s of being cancelled; it may still \
                run, so the step is not retried: end it by hand, then resume the run";
    check(
        &Script::new(&[&[]])
            .act(0, [Ignore])
            .config(0, StepConfig { timeout: Some(Span(10.0)), ..retry(9, 5.0) }),
        &format!(
            "0s launch a.1
             10s cancel 0.1
             40s force 0.1
             45s failed a.1: {text}
             45s a failed
             45s run failed: the step `a` failed: {text}"
        ),
    );
}

#[test]
fn an_attempt_that_is_deaf_is_forced_to_end_after_its_grace_and_retried() {
    check(
        &Script::new(&[&[]])
            .act(0, [Deaf, Complete])
            .config(0, StepConfig { timeout: Some(Span(10.0)), ..retry(1, 5.0) }),
        "0s launch a.1
         10s cancel 0.1
         40s force 0.1
         40s failed a.1, again in 5s: timed out after 10s; raise the step's `timeout` if it needs longer
         45s launch a.2
         45s a completed
         45s run completed",
    );
}

#[test]
fn fail_fast_cancels_what_runs() {
    check(
        &Script::new(&[&[], &[], &[], &[0]])
            .slots(3)
            .act(0, [Hang])
            .act(1, [Ignore])
            .act(2, [Fail("boom")]),
        "0s launch a.1
         0s launch b.1
         0s launch c.1
         0s failed c.1: boom
         0s c failed
         0s cancel 0.1
         0s cancel 1.1
         0s d skipped, the run stopped since `c` failed
         0s a cancelled, the run stopped since `c` failed
         30s force 1.1
         35s b cancelled, the run stopped since `c` failed
         35s run failed: the step `c` failed: ValueError: boom",
    );
}

#[test]
fn a_run_cancelled_before_it_begins_launches_nothing() {
    let cancel_twice = |driver: &mut Driver<'_>| {
        driver.cancel_handle().cancel();
        driver.cancel_handle().clone().cancel();
    };
    check_run(
        &Script::new(&[&[], &[0]]),
        |_| {},
        cancel_twice,
        "0s cancel requested
         0s a cancelled, the run was cancelled
         0s b cancelled, the run was cancelled
         0s run cancelled",
    );
}

#[test]
fn an_interrupted_step_is_not_retried_and_cancels_the_run() {
    check(
        &Script::new(&[&[], &[0]]).act(0, [Interrupt]).config(0, retry(3, 0.0)),
        "0s launch a.1
         0s a cancelled, the run was cancelled
         0s b cancelled, the run was cancelled
         0s run cancelled",
    );
}

#[test]
fn the_commit_decides_whether_an_attempt_completed() {
    check(
        &Script::new(&[&[], &[0], &[1]])
            .act(0, [Commit])
            .act(1, [CommitAndFail])
            .act(2, [Pretend, Commit])
            .config(2, retry(1, 0.0)),
        "0s launch a.1
         0s a completed
         0s launch b.1
         0s b completed
         0s launch c.1
         0s failed c.1, again in 0s: the orchestrator `backend` says that the attempt completed, \
         but the step is not committed in the artifact store; see whether the step ended its \
         process by itself, as `os._exit` does, and was started by its entrypoint and with this artifact store
         0s launch c.2
         0s c completed
         0s run completed",
    );
}

#[test]
fn a_resumed_run_leaves_committed_steps_alone_and_counts_attempts_on() {
    check_run(
        &Script::new(&[&[], &[0]]),
        |plan| {
            plan.steps[0].committed = true;
            plan.steps[1].first_attempt = 3;
        },
        |_| {},
        "0s launch b.3
         0s b completed
         0s run completed",
    );
}

#[test]
fn a_commit_just_before_an_interrupt_saves_the_step_but_not_the_run() {
    check(
        &Script::new(&[&[], &[0]]).act(0, [CommitAndInterrupt]),
        "0s launch a.1
         0s a completed
         0s b cancelled, the run was cancelled
         0s run cancelled",
    );
}

#[test]
fn a_step_that_is_committed_is_done_though_its_attempt_never_ends() {
    check(
        &Script::new(&[&[]]).act(0, [CommitAndIgnore]).config(0, timeout(10.0)),
        "0s launch a.1
         10s cancel 0.1
         40s a completed
         40s run completed",
    );
}

#[test]
fn the_last_failure_is_told_and_not_an_earlier_one() {
    let text = "timed out after 10s and did not end within 35s of being cancelled; it may still \
                run, so the step is not retried: end it by hand, then resume the run";
    check(
        &Script::new(&[&[]])
            .act(0, [Fail("boom"), Ignore])
            .config(0, StepConfig { timeout: Some(Span(10.0)), ..retry(9, 0.0) }),
        &format!(
            "0s launch a.1
             0s failed a.1, again in 0s: boom
             0s launch a.2
             10s cancel 0.2
             40s force 0.2
             45s failed a.2: {text}
             45s a failed
             45s run failed: the step `a` failed: {text}"
        ),
    );
}

#[test]
fn a_repeated_report_does_not_end_the_next_attempt() {
    check(
        &Script::new(&[&[]]).act(0, [FailTwice("boom"), Complete]).config(0, retry(1, 0.0)),
        "0s launch a.1
         0s failed a.1, again in 0s: boom
         0s launch a.2
         0s a completed
         0s run completed",
    );
}

#[test]
fn cancelling_twice_asks_those_that_run_once_more() {
    check(
        &Script::new(&[&[], &[]]).act(0, [CancelRun]).act(1, [Ignore]).slots(1),
        "0s launch a.1
         0s cancel requested
         0s cancel 0.1
         0s b cancelled, the run was cancelled
         0s cancel 0.1
         0s a cancelled, the run was cancelled
         0s run cancelled",
    );
}

#[test]
fn nothing_is_looked_up_once_the_run_has_stopped() {
    let script = Script::new(&[&[], &[], &[]]).act(0, [Ignore]).act(1, [Fail("boom")]);
    check(
        &script,
        "0s launch a.1
         0s launch b.1
         0s failed b.1: boom
         0s b failed
         0s cancel 0.1
         0s c skipped, the run stopped since `b` failed
         30s force 0.1
         35s a cancelled, the run stopped since `b` failed
         35s run failed: the step `b` failed: ValueError: boom",
    );
    assert_eq!(script.state().look_ups, [0, 1]);
}
