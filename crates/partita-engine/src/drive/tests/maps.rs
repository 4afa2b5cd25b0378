//! Mapped steps: each item is looked up, launched, retried and reported on its own.

use partita_core::launcher::Unit;
use partita_core::settings::FailureMode;
use partita_core::status::StepStatus;

use super::fake::Act::{Commit, CommitAndFail, Fail, Hang, Interrupt};
use super::fake::{Script, failure, result};
use super::{Resolution, check, check_run, retry, timeout};
use crate::schedule::BegunItem;

#[test]
fn items_are_looked_up_and_launched_one_by_one_and_then_gathered() {
    let cached = StepStatus::Cached;
    let taken = partita_core::run::StepResult { status: cached, ..(*result(0)).clone() };
    check(
        &Script::new(&[&[], &[0]])
            .map(0, Ok(3))
            .slots(1)
            .resolve(Unit::item(0, 1), Resolution::Cached(taken.into()))
            .act(Unit::item(0, 2), [Commit]),
        "0s a has 3 items
         0s launch a[0].1
         0s a[0] completed
         0s a[1] cached
         0s launch a[2].1
         0s a[2] completed
         0s a completed
         0s launch b.1
         0s b completed
         0s run completed",
    );
}

#[test]
fn an_empty_map_completes_without_a_launch() {
    check(
        &Script::new(&[&[]]).map(0, Ok(0)),
        "0s a has 0 items
         0s a completed
         0s run completed",
    );
}

#[test]
fn a_map_whose_list_is_none_fails_and_says_why() {
    check(
        &Script::new(&[&[], &[0]]).map(0, Err("no list")),
        "0s a failed
         0s b skipped, its upstream step `a` failed
         0s run failed: the step `a` failed: ValueError: no list",
    );
    check(
        &Script::new(&[&[]])
            .map(0, Ok(1))
            .resolve(0, Resolution::Failed(failure("the disk is full"))),
        "0s a has 1 items
         0s launch a[0].1
         0s a[0] completed
         0s a failed
         0s run failed: the step `a` failed: ValueError: the disk is full",
    );
}

#[test]
fn an_item_is_retried_alone_and_its_failure_becomes_that_of_its_step() {
    check(
        &Script::new(&[&[], &[0]])
            .map(0, Ok(3))
            .mode(FailureMode::ContinueOnFailure)
            .config(0, retry(1, 5.0))
            .act(Unit::item(0, 1), [Fail("one"), Fail("two")])
            .act(Unit::item(0, 2), [Fail("three"), CommitAndFail]),
        "0s a has 3 items
         0s launch a[0].1
         0s a[0] completed
         0s launch a[1].1
         0s failed a[1].1, again in 5s: one
         0s launch a[2].1
         0s failed a[2].1, again in 5s: three
         5s launch a[1].2
         5s failed a[1].2: two
         5s a[1] failed
         5s launch a[2].2
         5s a[2] completed
         5s a failed
         5s b skipped, its upstream step `a` failed
         5s run failed: the step `a` failed: item 1 failed: ValueError: two",
    );
}

#[test]
fn the_first_failed_item_is_told_and_the_others_are_counted() {
    check(
        &Script::new(&[&[]])
            .map(0, Ok(3))
            .mode(FailureMode::ContinueOnFailure)
            .act(Unit::item(0, 0), [Fail("one")])
            .act(Unit::item(0, 1), [Fail("two")])
            .act(Unit::item(0, 2), [Fail("three")]),
        "0s a has 3 items
         0s launch a[0].1
         0s failed a[0].1: one
         0s a[0] failed
         0s launch a[1].1
         0s failed a[1].1: two
         0s a[1] failed
         0s launch a[2].1
         0s failed a[2].1: three
         0s a[2] failed
         0s a failed
         0s run failed: the step `a` failed: item 0 failed: ValueError: one; 2 more items failed",
    );
}

#[test]
fn a_failure_cancels_the_items_that_run() {
    check(
        &Script::new(&[&[]])
            .map(0, Ok(3))
            .act(Unit::item(0, 0), [Hang])
            .act(Unit::item(0, 1), [Fail("one")]),
        "0s a has 3 items
         0s launch a[0].1
         0s launch a[1].1
         0s failed a[1].1: one
         0s a[1] failed
         0s cancel 0.0.1
         0s a[2] skipped, the run stopped since `a` failed
         0s a[0] cancelled, the run stopped since `a` failed
         0s a failed
         0s run failed: the step `a` failed: item 1 failed: ValueError: one",
    );
}

#[test]
fn an_item_has_its_own_timeout_and_its_own_interrupt() {
    check(
        &Script::new(&[&[]]).map(0, Ok(1)).config(0, timeout(3.0)).act(Unit::item(0, 0), [Hang]),
        "0s a has 1 items
         0s launch a[0].1
         3s cancel 0.0.1
         3s failed a[0].1: timed out after 3s; raise the step's `timeout` if it needs longer
         3s a[0] failed
         3s a failed
         3s run failed: the step `a` failed: item 0 failed: timed out after 3s; raise the step's `timeout` if it needs longer",
    );
    check(
        &Script::new(&[&[]]).map(0, Ok(2)).slots(1).act(Unit::item(0, 0), [Interrupt]),
        "0s a has 2 items
         0s launch a[0].1
         0s a[0] cancelled, the run was cancelled
         0s a[1] cancelled, the run was cancelled
         0s a cancelled, the run was cancelled
         0s run cancelled",
    );
}

#[test]
fn a_resumed_map_runs_its_unfinished_items_with_the_next_numbers() {
    let script = Script::new(&[&[]]).map(0, Ok(3));
    check_run(
        &script,
        |plan| {
            plan.begun_items.extend([
                (Unit::item(0, 0), BegunItem { first_attempt: 2, committed: true }),
                (Unit::item(0, 2), BegunItem { first_attempt: 4, committed: false }),
            ]);
        },
        |_| {},
        "0s a has 3 items, 1 committed
         0s launch a[1].1
         0s a[1] completed
         0s launch a[2].4
         0s a[2] completed
         0s a completed
         0s run completed",
    );
}
