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
