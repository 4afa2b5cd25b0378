//! Runs with mapped steps: their items are numbered after the steps.

use std::collections::HashMap;

use partita_core::launcher::Unit;

use super::super::plan::BegunItem;
use super::*;

/// Makes a step of a plan a mapped one.
fn mapped(plan: Plan, step: usize) -> Plan {
    let rules = StepPlan { mapped: true, ..plan.steps[step] };
    with_step(plan, step, rules)
}

#[test]
fn a_mapped_step_is_done_when_all_its_items_are() {
    check(
        mapped(fail_fast(&[&[], &[0], &[1]]), 1),
        "start: resolve 0 | resolving waits1 waits1
         cached 0: 0 cached, expand 1 | cached resolving waits1
         run 1:  | cached resolving waits1
         expanded 1.3: resolve 3, resolve 4, resolve 5 | \
         cached mapped3 waits1 resolving resolving resolving
         expanded 1.3:  | cached mapped3 waits1 resolving resolving resolving
         run 4: launch 4.1 | cached mapped3 waits1 resolving running.1 resolving
         cached 3: 3 cached | cached mapped2 waits1 cached running.1 resolving
         run 5: launch 5.1 | cached mapped2 waits1 cached running.1 running.1
         done 5.1: 5 completed | cached mapped1 waits1 cached running.1 completed
         done 4.1: 4 completed, gather 1 | cached gathering waits1 cached completed completed
         gathered 1: 1 completed, resolve 2 | \
         cached completed resolving cached completed completed
         run 2: launch 2.1 | cached completed running.1 cached completed completed
         done 2.1: 2 completed, run completed | \
         cached completed completed cached completed completed",
    );
}

#[test]
fn a_mapped_step_without_items_is_gathered_at_once() {
    check(
        mapped(fail_fast(&[&[], &[0]]), 0),
        "start: expand 0 | resolving waits1
         gathered 0:  | resolving waits1
         expanded 0.0: gather 0 | gathering waits1
         gathered-cached 0: 0 cached, resolve 1 | cached resolving
         cached 1: 1 cached, run completed | cached cached",
    );
}

#[test]
fn a_mapped_step_that_cannot_be_expanded_or_gathered_fails() {
    check(
        mapped(fail_fast(&[&[], &[0]]), 0),
        "start: expand 0 | resolving waits1
         unexpanded 0: 0 failed, 1 skipped by 0, run failed | failed skipped",
    );
    check(
        mapped(fail_fast(&[&[], &[0]]), 0),
        "start: expand 0 | resolving waits1
         expanded 0.1: resolve 2 | mapped1 waits1 resolving
         cached 2: 2 cached, gather 0 | gathering waits1 cached
         ungathered 0: 0 failed, 1 skipped by 0, run failed | failed skipped cached",
    );
}

#[test]
fn a_failed_item_ends_its_siblings_as_the_failure_mode_says() {
    check(
        mapped(fail_fast(&[&[], &[0]]), 0),
        "start: expand 0 | resolving waits1
         expanded 0.3: resolve 2, resolve 3, resolve 4 | mapped3 waits1 resolving resolving resolving
         run 2: launch 2.1 | mapped3 waits1 running.1 resolving resolving
         run 3: launch 3.1 | mapped3 waits1 running.1 running.1 resolving
         fail 2.1: 2.1 reported, 2 failed, 1 skipped by 0, cancel 3.1, grace 3.1 after 30s, \
         4 skipped after 0 | mapped1-failed skipped failed stopping.1 skipped
         interrupt 3.1: 3 cancelled after 0, 0 failed, run failed | \
         failed skipped failed cancelled skipped",
    );
    check(
        mapped(plan(&[&[], &[0]], FailureMode::StopOnFailure), 0),
        "start: expand 0 | resolving waits1
         expanded 0.3: resolve 2, resolve 3, resolve 4 | mapped3 waits1 resolving resolving resolving
         run 2: launch 2.1 | mapped3 waits1 running.1 resolving resolving
         run 3: launch 3.1 | mapped3 waits1 running.1 running.1 resolving
         fail 2.1: 2.1 reported, 2 failed, 1 skipped by 0, 4 skipped after 0 | \
         mapped1-failed skipped failed running.1 skipped
         done 3.1: 3 completed, 0 failed, run failed | failed skipped failed completed skipped",
    );
    check(
        mapped(plan(&[&[], &[0], &[]], FailureMode::ContinueOnFailure), 0),
        "start: expand 0, resolve 2 | resolving waits1 resolving
         cached 2: 2 cached | resolving waits1 cached
         expanded 0.2: resolve 3, resolve 4 | mapped2 waits1 cached resolving resolving
         run 3: launch 3.1 | mapped2 waits1 cached running.1 resolving
         fail 3.1: 3.1 reported, 3 failed | mapped1-failed waits1 cached failed resolving
         run 4: launch 4.1 | mapped1-failed waits1 cached failed running.1
         done 4.1: 4 completed, 0 failed, 1 skipped by 0, run failed | \
         failed skipped cached failed completed",
    );
}

#[test]
fn each_item_is_retried_by_the_rules_of_its_step() {
    let plan = with_step(fail_fast(&[&[]]), 0, StepPlan { mapped: true, ..retried(1, 0.0) });
    check(
        plan,
        "start: expand 0 | resolving
         expanded 0.2: resolve 1, resolve 2 | mapped2 resolving resolving
         run 1: launch 1.1 | mapped2 running.1 resolving
         run 2: launch 2.1 | mapped2 running.1 running.1
         fail 2.1: 2.1 reported again in 0ns, launch 2.2 | mapped2 running.1 running.2
         fail 1.1: 1.1 reported again in 0ns, launch 1.2 | mapped2 running.2 running.2
         done 2.2: 2 completed | mapped1 running.2 completed
         done 1.2: 1 completed, gather 0 | gathering completed completed
         gathered 0: 0 completed, run completed | completed completed completed",
    );
}

#[test]
fn a_cancelled_run_cancels_its_mapped_steps_with_their_items() {
    check(
        mapped(fail_fast(&[&[], &[0]]), 0),
        "start: expand 0 | resolving waits1
         expanded 0.2: resolve 2, resolve 3 | mapped2 waits1 resolving resolving
         run 2: launch 2.1 | mapped2 waits1 running.1 resolving
         cancel: 1 cancelled on request, cancel 2.1, grace 2.1 after 30s, 3 cancelled on request | \
         mapped1-cancelled cancelled stopping.1 cancelled
         interrupt 2.1: 2 cancelled on request, 0 cancelled on request, run cancelled | \
         cancelled cancelled cancelled cancelled",
    );
    check(
        mapped(fail_fast(&[&[]]), 0),
        "start: expand 0 | resolving
         expanded 0.1: resolve 1 | mapped1 resolving
         run 1: launch 1.1 | mapped1 running.1
         interrupt 1.1: 1 cancelled on request, 0 cancelled on request, run cancelled | \
         cancelled cancelled",
    );
}

#[test]
fn items_that_were_committed_before_a_run_is_resumed_do_not_run_again() {
    let mut plan = mapped(fail_fast(&[&[]]), 0);
    plan.begun_items = HashMap::from([
        (Unit::item(0, 0), BegunItem { first_attempt: 2, committed: true }),
        (Unit::item(0, 1), BegunItem { first_attempt: 3, committed: false }),
    ]);
    check(
        plan.clone(),
        "start: expand 0 | resolving
         expanded 0.2: resolve 2 | mapped1 completed resolving
         run 2: launch 2.3 | mapped1 completed running.3
         done 2.3: 2 completed, gather 0 | gathering completed completed
         gathered 0: 0 completed, run completed | completed completed completed",
    );
    check(
        plan,
        "start: expand 0 | resolving
         expanded 0.1: gather 0 | gathering completed
         gathered 0: 0 completed, run completed | completed completed",
    );
}

#[test]
fn items_get_their_slots_at_the_place_of_their_step() {
    let mut plan = mapped(fail_fast(&[&[], &[]]), 0);
    plan.pools = slots(1);
    check(
        plan,
        "start: expand 0, resolve 1 | resolving resolving
         expanded 0.2: resolve 2, resolve 3 | mapped2 resolving resolving resolving
         run 2: launch 2.1 | mapped2 resolving running.1 resolving
         run 1:  | mapped2 ready.1 running.1 resolving
         run 3:  | mapped2 ready.1 running.1 ready.1
         done 2.1: 2 completed, launch 3.1 | mapped1 ready.1 completed running.1
         done 3.1: 3 completed, gather 0, launch 1.1 | gathering running.1 completed completed
         gathered 0: 0 completed | completed running.1 completed completed
         done 1.1: 1 completed, run completed | completed completed completed completed",
    );
}
