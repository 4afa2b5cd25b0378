//! A launcher over plugins that do as the protocol says, and over such that do not.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::time::Duration;

use partita_core::launcher::{JobStatus, Outcome, StepLauncher};
use partita_core::run::Failure;
use partita_plugin::PluginLauncher;
use support::{Folder, all_reports, attempt, end, reports};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);

/// Launches two attempts with a plugin in shell, and checks how they end.
fn check(can: &str, cases: &str, expected: [&str; 2]) {
    check_within(LONG, can, cases, expected);
}

fn check_within(patience: Duration, can: &str, cases: &str, expected: [&str; 2]) {
    let folder = Folder::new();
    let (run, _) = folder.run(folder.plugin(can, cases), patience);
    let launcher = PluginLauncher::new(run);
    let (reports, reported) = reports();
    for step in [0, 1] {
        // The plugin may be lost to the first one before the second is launched.
        if let Err(error) = launcher.launch(attempt(step, 1), &reports) {
            reports.ended(step.into(), 1, Outcome::Failed(Failure::ours(error.to_string())));
        }
    }
    let mut ends = [(); 2].map(|()| poll_until_end(&launcher, &reported));
    ends.sort();
    for (end, expected) in ends.iter().zip(expected) {
        assert!(end.contains(expected), "{end}");
    }
}

/// Polls as the engine does until something ends.
fn poll_until_end(launcher: &PluginLauncher, reported: &support::Reported) -> String {
    while reported.is_empty() {
        for step in [0, 1] {
            assert!(matches!(launcher.poll(&attempt(step, 1).id()), Ok(JobStatus::Active)));
        }
        std::thread::yield_now();
    }
    end(reported)
}

#[test]
fn ends_are_told_or_asked_for() {
    check(
        "status",
        r#"launch) attempt_of; answer "$id" '{"job":"7"}'; status "$attempt" '{"state":"completed"}' ;;"#,
        ["0/1 completed", "1/1 completed"],
    );
    check(
        "none",
        r#"launch) answer "$id" '{"job":"7"}' ;;
        poll) answer "$id" '{"state":"failed","exit_code":3}' ;;"#,
        ["0/1 failed (3): its job ended with exit code 3", "1/1 failed (3)"],
    );
}

#[test]
fn an_end_may_be_told_before_its_launch_is_answered_and_again() {
    check(
        "status",
        r#"launch) attempt_of; status "$attempt" '{"state":"completed"}'
            answer "$id" '{"job":"7"}'; status "$attempt" '{"state":"failed"}' ;;"#,
        ["0/1 completed", "1/1 completed"],
    );
}

#[test]
fn answers_may_come_in_any_order_and_twice() {
    check(
        "status",
        r#"launch) attempt_of
            if [ -z "$first" ]; then first=$id; other=$attempt; else
                answer "$id" '{"job":"2"}'; answer "$first" '{"job":"1"}'; answer "$first" '{"job":"1"}'
                status "$attempt" '{"state":"completed"}'; status "$other" '{"state":"completed"}'
            fi ;;"#,
        ["0/1 completed", "1/1 completed"],
    );
}

#[test]
fn a_refused_launch_is_a_failed_attempt() {
    check(
        "status",
        r#"launch) refuse "$id" -32000 "the queue is closed" ;;"#,
        [
            "0/1 failed: the orchestrator `queue` did not start the attempt: the queue is closed",
            "1/1",
        ],
    );
    check(
        "status",
        r#"launch) answer "$id" '{"jobs":[]}' ;;"#,
        ["is no answer to that: `job` is missing", "1/1 failed"],
    );
}

#[test]
fn a_cancelled_attempt_ends_as_cancelled() {
    let folder = Folder::new();
    let cases = r#"launch) attempt_of; answer "$id" '{"job":"7"}' ;;
        cancel) answer "$id" '{}'; status "$attempt" '{"state":"failed","exit_code":143}' ;;"#;
    let (run, _) = folder.run(folder.plugin("status", cases), LONG);
    let launcher = PluginLauncher::new(run);
    let (reports, reported) = reports();
    let job = launcher.launch(attempt(0, 1), &reports).unwrap();
    launcher.cancel(&job).unwrap();
    assert_eq!(end(&reported), "0/1 cancelled");
}

#[test]
fn an_attempt_that_is_cancelled_twice_is_over_whatever_the_plugin_does() {
    let check = |cases: &str| {
        let folder = Folder::new();
        let (run, _) = folder.run(folder.plugin("status\",\"find", cases), LONG);
        let launcher = PluginLauncher::new(run);
        let (reports, reported) = reports();
        let job = launcher.launch(attempt(0, 1), &reports).unwrap();
        folder.wait_for("launched");
        launcher.cancel(&job).unwrap();
        assert!(reported.is_empty());
        launcher.cancel(&job).unwrap();
        assert_eq!(end(&reported), "0/1 cancelled");
    };
    check(r#"launch) : > FOLDER/launched; answer "$id" '{"job":"7"}' ;;"#);
    check(
        r#"launch) : > FOLDER/launched; answer "$id" '{"job":"7"}' ;;
        cancel) refuse "$id" -32000 "not now" ;;"#,
    );
    check(
        r#"launch) : > FOLDER/launched; answer "$id" '{"job":"7"}' ;;
        cancel) read -r line; read -r line ;;"#,
    );
    check("launch) : > FOLDER/launched; read -r line; read -r line ;;");
}

#[test]
fn a_job_that_is_forced_to_end_is_cancelled_once_more_and_its_plugin_lives_on() {
    let folder = Folder::new();
    let cases = r#"launch) attempt_of; : > FOLDER/launched; answer "$id" '{"job":"7"}' ;;
        cancel) answer "$id" '{}'
            if [ -e FOLDER/asked ]; then status "$attempt" '{"state":"failed","exit_code":137}'; fi
            : > FOLDER/asked ;;"#;
    let (run, printed) = folder.run(folder.plugin("status", cases), LONG);
    let launcher = PluginLauncher::new(run);
    let (reports, reported) = reports();
    let job = launcher.launch(attempt(0, 1), &reports).unwrap();
    folder.wait_for("launched");
    launcher.cancel(&job).unwrap();
    folder.wait_for("asked");
    assert!(reported.is_empty());
    launcher.force(&job).unwrap();
    assert_eq!(end(&reported), "0/1 cancelled");
    let job = launcher.launch(attempt(1, 1), &reports).unwrap();
    launcher.cancel(&job).unwrap();
    assert_eq!(end(&reported), "1/1 cancelled");
    assert_eq!(printed.lines(), [""; 0]);
}

#[test]
fn a_job_that_nobody_has_seen_end_is_told_of() {
    let folder = Folder::new();
    let cases = r#"launch) : > FOLDER/launched; answer "$id" '{"job":"7"}' ;;
        cancel) answer "$id" '{}'; : > FOLDER/asked ;;"#;
    let (run, printed) = folder.run(folder.plugin("status", cases), LONG);
    let launcher = PluginLauncher::new(run);
    let (reports, _) = reports();
    let job = launcher.launch(attempt(0, 1), &reports).unwrap();
    folder.wait_for("launched");
    launcher.cancel(&job).unwrap();
    folder.wait_for("asked");
    drop(launcher);
    let told = printed.lines().join("\n");
    assert!(told.contains("nobody has seen the job `7` of step `step0` end"), "{told}");
}

#[test]
fn an_attempt_that_no_plugin_finds_again_is_told_of() {
    let folder = Folder::new();
    let (run, printed) = folder.run(folder.plugin("status", ""), LONG);
    let launcher = PluginLauncher::new(run);
    let (reports, _) = reports();
    assert_eq!(launcher.find(&attempt(0, 1), &reports).unwrap(), None);
    let told = printed.lines().join("\n");
    assert!(told.contains("attempt 1 at step `step0` may still run"), "{told}");
}

#[test]
fn a_job_whose_plugin_has_died_is_told_of() {
    let folder = Folder::new();
    let cases = r#"launch) answer "$id" '{"job":"7"}'; exit 0 ;;"#;
    let (run, printed) = folder.run(folder.plugin("status", cases), LONG);
    let launcher = PluginLauncher::new(run);
    let (reports, ends) = reports();
    launcher.launch(attempt(0, 1), &reports).unwrap();
    ends.recv_timeout(LONG).unwrap();
    let told = printed.lines().join("\n");
    assert!(told.contains("nobody has seen the job `7` of step `step0` end"), "{told}");
}

#[test]
fn what_does_not_speak_the_protocol_is_told_in_one_paragraph() {
    let gone = |cases: &str, why: &str| check("status", cases, [why, why]);
    gone(r#"hello) answer "$id" '{"protocol":2}' ;;"#, "speaks version 2 of the plugin protocol");
    gone(
        r#"hello) refuse "$id" -32000 "no driver" ;;"#,
        "plugin` answered `hello` with an error: no driver",
    );
    gone(
        r#"hello) ;; open) answer "$id" '{}' ;;"#,
        "answered `open` before `hello`, which says which version of the protocol it speaks",
    );
    gone(
        r#"hello) echo "no queue" >&2; exit 3 ;;"#,
        "ended with exit code 3 before it answered `hello`; the last that it wrote is `no queue`",
    );
    gone(r#"hello) echo "Loading …" ;;"#, "wrote `Loading …` to its standard output");
    gone(
        r#"open) refuse "$id" -32000 "the queue is closed" ;;"#,
        "the orchestrator `queue` cannot be opened: the queue is closed",
    );
    gone("open) exec >&- ; read -r line ;;", "closed its standard output");
    gone(r#"launch) exit 0 ;;"#, "ended with exit code 0");
    gone(
        r#"launch) attempt_of; answer "$id" '{"job":"7"}'; status "$attempt" '{"state":"idle"}' ;;"#,
        "sent a `status` that is none: `status.state` is `active`, `completed`, `failed` or `cancelled`",
    );
    gone(r#"launch) kill -9 $$ ;;"#, "was ended by SIGKILL");
    gone(r#"launch) head -c 100000000 /dev/zero ;;"#, "more than 16 MiB");
}

#[test]
fn an_error_is_told_up_to_a_length() {
    let padded = |count: usize| format!(r#"$(printf %0{count}d 0)"#);
    let refused = |count| format!(r#"launch) refuse "$id" -32000 "{}" ;;"#, padded(count));
    let (whole, cut) = ("0".repeat(2000), format!("{}…", "0".repeat(2000)));
    check("status", &refused(2000), [&whole, &whole]);
    check("status", &refused(100_000), [&cut, &cut]);
}

#[test]
fn a_plugin_that_does_not_answer_is_ended() {
    check_within(
        Duration::from_millis(50),
        "status",
        r#"launch) read -r line; read -r line ;;"#,
        ["did not answer `launch` within 0.05 s", "did not answer `launch`"],
    );
}

#[test]
fn a_plugin_that_died_is_started_again_and_asked_for_what_still_runs() {
    check(
        "status\",\"find",
        r#"launch) attempt_of; answer "$id" '{"job":"7"}'
            if [ -e FOLDER/one ]; then kill -9 $$; else : > FOLDER/one; fi ;;
        find) attempt=${line#*'"attempt":"'}; attempt=${attempt%%'"'*}
            case $attempt in
            run/0/1) answer "$id" '{"job":"7"}'; status "$attempt" '{"state":"completed"}' ;;
            *) answer "$id" '{"job":null}' ;;
            esac ;;"#,
        ["0/1 completed", "1/1 failed: the plugin"],
    );
}

#[test]
fn a_plugin_that_dies_again_and_again_is_given_up() {
    let folder = Folder::new();
    let (run, _) = folder.run(folder.plugin("status", "launch) exit 1 ;;"), LONG);
    let launcher = PluginLauncher::new(run);
    let (reports, reported) = reports();
    for number in 1..=3 {
        launcher.launch(attempt(0, number), &reports).unwrap();
        assert!(end(&reported).contains("ended with exit code 1"));
    }
    assert!(
        launcher.launch(attempt(0, 4), &reports).unwrap_err().to_string().contains("exit code 1")
    );
}

#[test]
fn an_attempt_of_an_earlier_engine_is_found() {
    let folder = Folder::new();
    let cases = r#"find) case $line in
            *run/0/1*) answer "$id" '{"job":"7"}' ;;
            *) answer "$id" '{"job":null}' ;;
            esac ;;
        poll) answer "$id" '{"state":"completed"}' ;;"#;
    let (run, _) = folder.run(folder.plugin("find", cases), LONG);
    let launcher = PluginLauncher::new(run);
    let (reports, reported) = reports();
    let job = launcher.find(&attempt(0, 1), &reports).unwrap();
    assert_eq!(job.as_deref(), Some("run/0/1"));
    assert_eq!(launcher.find(&attempt(1, 1), &reports).unwrap(), None);
    assert_eq!(poll_until_end(&launcher, &reported), "0/1 completed");
}

#[test]
fn what_a_failed_job_printed_and_what_the_plugin_says_is_kept() {
    let folder = Folder::new();
    let cases = r#"launch) attempt_of; echo "submitting" >&2; answer "$id" '{"job":"7"}'
            status "$attempt" '{"state":"failed","message":"killed"}' ;;
        logs) answer "$id" '{"text":"half of it"}' ;;"#;
    let (run, printed) = folder.run(folder.plugin("status\",\"logs", cases), LONG);
    let launcher = PluginLauncher::new(run);
    let (reports, reported) = reports();
    launcher.launch(attempt(0, 1), &reports).unwrap();
    assert_eq!(end(&reported), "0/1 failed: killed");
    drop(launcher);
    let lines = printed.lines();
    assert!(lines.contains(&"submitting".to_owned()), "{lines:?}");
    assert!(lines.contains(&"run/0/1: half of it".to_owned()), "{lines:?}");
}

#[test]
fn a_plugin_that_cannot_be_started_fails_no_step() {
    let folder = Folder::new();
    let start = folder.plugin("status", "");
    folder.program("#!/nowhere/python4\n");
    let (run, _) = folder.run(start, LONG);
    let launcher = PluginLauncher::new(run);
    let told = launcher.takes(&attempt(0, 1), &reports().0).unwrap_err();
    assert!(told.starts_with("the orchestrator `queue` cannot be opened"), "{told}");
    assert!(told.contains("its first line names"), "{told}");
}

#[test]
fn a_launcher_takes_attempts_once_it_is_open() {
    let folder = Folder::new();
    let start = folder.plugin("status", "");
    let (run, _) = folder.run(start, LONG);
    let launcher = PluginLauncher::new(run);
    let (reports, _, asked) = all_reports();
    assert!(!launcher.takes(&attempt(0, 1), &reports).unwrap());
    assert_eq!(asked.recv_timeout(LONG), Ok(None));
    assert!(launcher.takes(&attempt(0, 1), &reports).unwrap());
}
