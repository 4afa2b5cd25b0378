//! A launcher over plugins that go through the steps by themselves.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::time::Duration;

use partita_core::launcher::StepLauncher;
use partita_core::status::StepStatus;
use partita_plugin::PluginLauncher;
use support::{Folder, all_reports, attempt, end, reports};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);

/// A direct orchestrator that asks for each of these steps until it is over.
const DIRECT: &str = r#"open) answer "$id" '{"mode":"direct"}' ;;
    run) run=$id; steps="STEPS"; next ;;
    '{') case $line in
        *'"attempt"'*) attempt=${line#*'"attempt":{"attempt":{"id":"'}; attempt=${attempt%%'"'*}
            status "$attempt" '{"state":"completed"}'; ask ;;
        *) echo "$line" >&2; next ;;
        esac ;;"#;

const ASKING: &str = r#"ask() { printf '{"jsonrpc":"2.0","id":"q","method":"step","params":{"step":"%s"}}\n' "$step"; }
next() {
    step=${steps%% *}; steps=${steps#* }
    if [ "$step" = done ]; then answer "$run" '{}'; else ask; fi
}
while IFS="#;

fn direct(folder: &Folder, steps: &str) -> (PluginLauncher, std::sync::Arc<support::Printed>) {
    let text = support::SHELL.replace("CASES", &DIRECT.replace("STEPS", steps));
    let path = folder.program(&text.replace("while IFS=", ASKING));
    let start = partita_plugin::Start::executable(&path).unwrap();
    let (run, printed) = folder.run(start, LONG);
    (PluginLauncher::new(run), printed)
}

#[test]
fn a_direct_orchestrator_gets_what_the_engine_has_launched() {
    let folder = Folder::new();
    let (launcher, _) = direct(&folder, "step1 step0 done");
    let (ends, (reports, reported)) = (launcher.step_ends(), reports());
    for step in [0, 1] {
        launcher.launch(attempt(step, 1), &reports).unwrap();
    }
    assert_eq!(end(&reported), "1/1 completed");
    ends.ended(1, StepStatus::Completed, None);
    assert_eq!(end(&reported), "0/1 completed");
    ends.ended(0, StepStatus::Completed, None);
    launcher.launch(attempt(2, 1), &reports).unwrap();
    assert!(end(&reported).contains("is done, and did not run the step"));
}

#[test]
fn a_direct_orchestrator_takes_the_steps_that_it_asks_for() {
    let folder = Folder::new();
    let (launcher, _) = direct(&folder, "step1 step0 done");
    let (ends, (reports, reported, asked)) = (launcher.step_ends(), all_reports());
    let takes = |step| launcher.takes(&attempt(step, 1), &reports).unwrap();
    assert!(!takes(0));
    // Once it asks for one step, the other is not taken.
    assert_eq!(asked.recv_timeout(LONG), Ok(Some(1)));
    assert!(takes(1) && !takes(0));
    launcher.launch(attempt(1, 1), &reports).unwrap();
    assert_eq!(end(&reported), "1/1 completed");
    assert_eq!(asked.recv_timeout(LONG), Ok(Some(1)), "it is asked for until it has ended");
    ends.ended(1, StepStatus::Completed, None);
    assert_eq!(asked.recv_timeout(LONG), Ok(Some(0)));
    assert!(takes(0));
    launcher.launch(attempt(0, 1), &reports).unwrap();
    assert_eq!(end(&reported), "0/1 completed");
    ends.ended(0, StepStatus::Completed, None);
    // Everything is taken by one that is through: it says why nothing is run any more.
    while asked.recv_timeout(LONG).unwrap().is_some() {}
    assert!(takes(2));
}

#[test]
fn a_direct_orchestrator_is_told_how_entrypoints_are_started() {
    let folder = Folder::new();
    let echoed = r#"open) answer "$id" '{"mode":"direct"}' ;;
        run) echo "$line" >&2; step=step0; ask ;;
        '{') echo "$line" >&2; status run/0/2 '{"state":"completed"}' ;;"#;
    let text = support::SHELL.replace("CASES", echoed).replace("while IFS=", ASKING);
    let start = partita_plugin::Start::executable(&folder.program(&text)).unwrap();
    let (run, printed) = folder.run(start, LONG);
    let launcher = PluginLauncher::new(run);
    let (reports, reported) = reports();
    launcher.launch(attempt(0, 2), &reports).unwrap();
    assert_eq!(end(&reported), "0/2 completed");
    drop(launcher);
    let told = printed.lines();
    let common = "\"python\",\"-m\",\"partita.entrypoints.entrypoint\",\
        \"--entrypoint_config_source=partita.entrypoints.StepEntrypointConfiguration\",\
        \"--artifact_store=file:///store\",\"--deployment_id=d\",\"--run_id=run\"";
    let check = |options: &str| {
        let command = format!("\"command\":[{common},{options}]");
        assert!(told.iter().any(|line| line.contains(&command)), "{told:?}");
    };
    check("\"--attempt=auto\"");
    check("\"--step_name=step0\",\"--attempt=2\"");
}

#[test]
fn a_direct_orchestrator_is_told_of_a_wrong_order_and_an_unknown_step() {
    let folder = Folder::new();
    let (launcher, printed) = direct(&folder, "after0 nowhere step0 done");
    let (reports, reported) = reports();
    launcher.launch(attempt(0, 1), &reports).unwrap();
    assert_eq!(end(&reported), "0/1 completed");
    drop(launcher);
    let printed = printed.lines().join("\n");
    assert!(printed.contains("`after0` is run before `step0`, which it depends on"), "{printed}");
    assert!(printed.contains("no step `nowhere`"), "{printed}");
}

#[test]
fn a_direct_orchestrator_may_take_its_time_after_the_last_step() {
    let folder = Folder::new();
    // Like threads, what answers ends with the plugin, which ends with its standard input.
    let late = r#"(sleep 0.2; answer "$run" '{"representation":"a plan"}') & late=$!"#;
    let asking = ASKING.replace(r#"answer "$run" '{}'"#, late);
    let text =
        support::SHELL.replace("CASES", &DIRECT.replace("STEPS", "step0 step1 step2 after0 done"));
    let text = text.replace("while IFS=", &asking) + r#"kill -9 "$late""#;
    let start = partita_plugin::Start::executable(&folder.program(&text)).unwrap();
    let (run, printed) = folder.run(start, LONG);
    let launcher = PluginLauncher::new(run);
    let (ends, (reports, reported)) = (launcher.step_ends(), reports());
    for step in [0, 1, 2, 3] {
        launcher.launch(attempt(step, 1), &reports).unwrap();
        assert_eq!(end(&reported), format!("{step}/1 completed"));
        ends.ended(step, StepStatus::Completed, None);
    }
    drop(launcher);
    assert!(printed.lines().contains(&"made: a plan".to_owned()), "{:?}", printed.lines());
}

/// A direct orchestrator that asks for `step0` and, once that has ended, does what `then` says.
fn ending(folder: &Folder, then: &str) -> PluginLauncher {
    let next = "    if [ \"$step\" = done ]; then THEN; else ask; fi";
    let then = next.replace("THEN", then);
    let asking: Vec<&str> =
        ASKING.lines().map(|line| if line.contains("= done") { &then } else { line }).collect();
    let text = support::SHELL.replace("CASES", &DIRECT.replace("STEPS", "step0 done"));
    let path = folder.program(&text.replace("while IFS=", &asking.join("\n")));
    let (run, _) = folder.run(partita_plugin::Start::executable(&path).unwrap(), LONG);
    PluginLauncher::new(run)
}

/// Checks why a direct orchestrator takes no other step once it has ended so.
fn check_takes_no_more(then: &str, why: &str) {
    let folder = Folder::new();
    let launcher = ending(&folder, then);
    let (ends, (reports, reported, asked)) = (launcher.step_ends(), all_reports());
    launcher.launch(attempt(0, 1), &reports).unwrap();
    assert_eq!(end(&reported), "0/1 completed");
    ends.ended(0, StepStatus::Completed, None);
    let refused = loop {
        match launcher.takes(&attempt(1, 1), &reports) {
            Err(refused) => break refused,
            Ok(is_taken) => assert!(!is_taken),
        }
        asked.recv_timeout(LONG).unwrap();
    };
    assert!(refused.starts_with("the orchestrator `queue` failed"), "{refused}");
    assert!(refused.contains(why), "{refused}");
}

#[test]
fn a_direct_orchestrator_that_dies_again_and_again_takes_no_other_step_and_says_why() {
    check_takes_no_more("exit 3", "failed, 3 times in this run: the plugin");
    check_takes_no_more("exit 3", "ended with exit code 3");
}

#[test]
fn a_direct_orchestrator_that_fails_between_two_steps_takes_no_other_step_and_says_why() {
    check_takes_no_more(r#"refuse "$run" -32000 "the queue is full""#, "the queue is full");
}

/// Polls an attempt until its end is reported, and returns that.
fn polled(launcher: &PluginLauncher, job: &String, reported: &support::Reported) -> String {
    loop {
        launcher.poll(job).unwrap();
        if !reported.is_empty() {
            return end(reported);
        }
        std::thread::yield_now();
    }
}

const UNTOLD: &str = "0/1 failed: the orchestrator `queue` has not told that the attempt 1 at step `step0` has ended, which it has; it is to send `status` then";

#[test]
fn an_attempt_that_is_over_is_not_waited_for_for_ever_where_its_end_is_never_told() {
    let folder = Folder::new();
    let start = folder.plugin("status", r#"launch) answer "$id" '{"job":"1"}' ;;"#);
    let (mut run, printed) = folder.run(start, LONG);
    run.patience.tell = Duration::from_millis(500);
    let launcher = PluginLauncher::new(run);
    let (reports, reported) = reports();
    let job = launcher.launch(attempt(0, 1), &reports).unwrap();
    printed.all_are_over();
    assert_eq!(polled(&launcher, &job, &reported), UNTOLD);
    let notice = format!("partita: {}; this is waited for 0 s", &UNTOLD["0/1 failed: ".len()..]);
    assert!(printed.lines().contains(&notice), "{:?}", printed.lines());
}

#[test]
fn an_attempt_that_is_over_has_ended_once_its_step_is_asked_for_again() {
    let folder = Folder::new();
    let forgets = DIRECT.replace(r#"status "$attempt" '{"state":"completed"}'; "#, "");
    let text = support::SHELL.replace("CASES", &forgets.replace("STEPS", "step0 done"));
    let path = folder.program(&text.replace("while IFS=", ASKING));
    let (mut run, printed) = folder.run(partita_plugin::Start::executable(&path).unwrap(), LONG);
    run.patience.tell = LONG;
    let launcher = PluginLauncher::new(run);
    let (reports, reported) = reports();
    printed.all_are_over();
    let job = launcher.launch(attempt(0, 1), &reports).unwrap();
    assert_eq!(polled(&launcher, &job, &reported), UNTOLD);
}
