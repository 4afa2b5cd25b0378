//! The driver with a backend that is out of reach, refuses, or has to be polled.

use std::collections::HashMap;

use super::fake::Act::{
    Complete, Fail, Hang, LoseAnswer, Refuse, Silent, Slip, Stutter, Take, Unknown, Unreachable,
};
use super::fake::Script;
use super::{check, check_run, retry, timeout};
use partita_core::deployment::StepConfig;
use partita_core::launcher::Unit;
use partita_core::settings::Span;

#[test]
fn an_unreachable_backend_is_tried_again_and_then_named() {
    let text = "the orchestrator `backend` could not be reached to start the attempt, in 6 tries: \
                connection refused";
    check(
        &Script::new(&[&[]]).act(0, [Unreachable]),
        &format!(
            "0s launch a.1
             1s launch a.1
             3s launch a.1
             7s launch a.1
             15s launch a.1
             31s launch a.1
             31s failed a.1: {text}
             31s a failed
             31s run failed: the step `a` failed: {text}"
        ),
    );
}

#[test]
fn a_timeout_counts_from_the_launch_that_succeeds() {
    check(
        &Script::new(&[&[]]).act(0, [Unreachable, Unreachable, Hang]).config(0, timeout(2.0)),
        "0s launch a.1
         1s launch a.1
         3s launch a.1
         5s cancel 0.1
         5s failed a.1: timed out after 2s; raise the step's `timeout` if it needs longer
         5s a failed
         5s run failed: the step `a` failed: timed out after 2s; raise the step's `timeout` if it \
         needs longer",
    );
}

#[test]
fn an_attempt_whose_launch_was_answered_by_silence_is_found_again() {
    check(
        &Script::new(&[&[]]).act(0, [LoseAnswer]).config(0, timeout(4.0)),
        "0s launch a.1
         5s cancel 0.1
         5s failed a.1: timed out after 4s; raise the step's `timeout` if it needs longer
         5s a failed
         5s run failed: the step `a` failed: timed out after 4s; raise the step's `timeout` if it \
         needs longer",
    );
}

#[test]
fn a_run_stops_without_an_attempt_that_could_not_be_launched() {
    check(
        &Script::new(&[&[], &[]]).act(0, [Unreachable]).act(1, [Fail("boom")]),
        "0s launch a.1
         0s launch b.1
         0s failed b.1: boom
         0s b failed
         0s a cancelled, the run stopped since `b` failed
         0s run failed: the step `b` failed: ValueError: boom",
    );
}

#[test]
fn a_refused_attempt_fails_and_may_be_retried() {
    check(
        &Script::new(&[&[]]).act(0, [Refuse, Complete]).config(0, retry(1, 0.0)),
        "0s launch a.1
         0s failed a.1, again in 0s: the orchestrator `backend` refused to start the attempt: no such queue
         0s launch a.2
         0s a completed
         0s run completed",
    );
}

#[test]
fn a_cancellation_that_does_not_get_through_is_repeated() {
    check(
        &Script::new(&[&[]]).act(0, [Hang]).config(0, timeout(10.0)).unreachable_cancels(2),
        "0s launch a.1
         10s cancel 0.1
         11s cancel 0.1
         13s cancel 0.1
         13s failed a.1: timed out after 10s; raise the step's `timeout` if it needs longer
         13s a failed
         13s run failed: the step `a` failed: timed out after 10s; raise the step's `timeout` if \
         it needs longer",
    );
}

#[test]
fn jobs_are_polled_where_ends_are_not_reported() {
    check(
        &Script::new(&[&[], &[], &[0]])
            .act(0, [Take(12)])
            .act(1, [Take(4)])
            .act(2, [Unknown, Take(0)])
            .config(2, retry(1, 30.0))
            .polled(5.0),
        "0s launch a.1
         0s launch b.1
         5s b completed
         15s a completed
         15s launch c.1
         20s failed c.1, again in 30s: the orchestrator `backend` cannot say how the attempt stands: no such job
         50s launch c.2
         55s c completed
         55s run completed",
    );
}

#[test]
fn a_job_that_cannot_be_asked_about_for_an_hour_is_given_up() {
    let text = "the orchestrator `backend` could not be asked for 1h how the attempt stands: \
                connection refused; it may still run, so the step is not retried: resume the run \
                when the backend can be reached";
    check(
        &Script::new(&[&[]]).act(0, [Silent]).config(0, retry(3, 0.0)).polled(60.0),
        &format!(
            "0s launch a.1
             3660s failed a.1: {text}
             3660s a failed
             3660s run failed: the step `a` failed: {text}"
        ),
    );
}

#[test]
fn silence_counts_from_the_last_answer() {
    check(
        &Script::new(&[&[]]).act(0, [Stutter]).polled(2_000.0),
        "0s launch a.1
         8000s a completed
         8000s run completed",
    );
}

#[test]
fn a_repeated_cancellation_does_not_hit_the_next_attempt() {
    let text = "timed out after 10s; raise the step's `timeout` if it needs longer";
    check(
        &Script::new(&[&[]])
            .act(0, [Slip, Hang])
            .config(0, StepConfig { timeout: Some(Span(10.0)), ..retry(1, 0.0) }),
        &format!(
            "0s launch a.1
             10s cancel 0.1
             10s failed a.1, again in 0s: {text}
             10s launch a.2
             20s cancel 0.2
             20s failed a.2: {text}
             20s a failed
             20s run failed: the step `a` failed: {text}"
        ),
    );
}

#[test]
fn an_attempt_of_an_engine_before_goes_on_and_one_that_is_gone_is_made_anew() {
    let begun = HashMap::from([(Unit::from(0), 2), (Unit::from(1), 3)]);
    check_run(
        &Script::new(&[&[], &[]]).polled(1.0).still_runs(0, 2, Take(5)).act(1, [Complete]),
        |plan| (plan.steps[0].first_attempt, plan.steps[1].first_attempt) = (3, 4),
        |driver| driver.take_over(&begun).expect("the backend answers"),
        "0s launch b.4
         0s b completed
         5s a completed
         5s run completed",
    );
}

#[test]
fn an_attempt_that_was_found_again_is_retried_under_the_next_number() {
    let begun = HashMap::from([(Unit::from(0), 2)]);
    check_run(
        &Script::new(&[&[]])
            .polled(1.0)
            .still_runs(0, 2, Unknown)
            .act(0, [Take(0)])
            .config(0, retry(1, 3.0)),
        |plan| plan.steps[0].first_attempt = 3,
        |driver| driver.take_over(&begun).expect("the backend answers"),
        "1s failed a.2, again in 3s: the orchestrator `backend` cannot say how the attempt stands: no such job
         4s launch a.3
         5s a completed
         5s run completed",
    );
}
