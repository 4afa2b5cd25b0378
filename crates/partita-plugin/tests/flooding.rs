//! Plugins and jobs that print without end: orders, times and ends are heard all the same.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};
use partita_core::launcher::{Attempt, StepLauncher};
use partita_plugin::{PluginLauncher, Record};
use support::{Folder, attempt, end, reports};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(30);

/// Takes lines more slowly than they are printed, as a terminal does, and keeps none.
struct Slow;

impl Record for Slow {
    fn printed(&self, _line: &str) {
        std::thread::sleep(Duration::from_micros(100));
    }

    fn cleared(&self, text: &str, _is_cut: bool) -> String {
        text.to_owned()
    }

    fn is_over(&self, _attempt: &Attempt) -> bool {
        false
    }

    fn goes_by_itself(&self) {}

    fn represented(&self, _representation: &str) {}

    fn job_printed(&self, _attempt: &Attempt, _text: &str) {}
}

fn launcher(folder: &Folder, cases: &str) -> PluginLauncher {
    let (mut run, _) = folder.run(folder.plugin("status", cases), Duration::from_secs(1));
    run.record = Arc::new(Slow);
    PluginLauncher::new(run)
}

/// Does something on a thread of its own, and returns what is told of its end.
fn aside(work: impl FnOnce() + Send + 'static) -> Receiver<()> {
    let (done, is_done) = bounded(1);
    std::thread::spawn(move || {
        work();
        let _ = done.send(());
    });
    is_done
}

/// Checks that an attempt can be cancelled, and its launcher be dropped, while `flood` goes on.
fn check_cancel(flood: &str) {
    let folder = Folder::new();
    let cases = r#"launch) attempt_of; FLOOD & flood=$!; answer "$id" '{"job":"7"}'; : > FOLDER/launched ;;
        cancel) kill "$flood"; answer "$id" '{}'; status "$attempt" '{"state":"cancelled"}' ;;"#;
    let launcher = launcher(&folder, &cases.replace("FLOOD", flood));
    let (reports, reported) = reports();
    let done = aside(move || {
        let job = launcher.launch(attempt(0, 1), &reports).unwrap();
        folder.wait_for("launched");
        launcher.cancel(&job).unwrap();
        assert_eq!(end(&reported), "0/1 cancelled");
    });
    done.recv_timeout(LONG).unwrap();
}

#[test]
fn an_attempt_is_cancelled_however_much_is_printed() {
    check_cancel("yes flood >&2");
    check_cancel("cat /dev/zero >&2");
    check_cancel(r#"yes '{"jsonrpc":"2.0","method":"news"}'"#);
}

#[test]
fn a_plugin_that_prints_in_place_of_an_answer_is_overdue() {
    let folder = Folder::new();
    let launcher = launcher(&folder, "launch) yes flood >&2 ;;");
    let (reports, reported) = reports();
    let done = aside(move || {
        launcher.launch(attempt(0, 1), &reports).unwrap();
        assert!(end(&reported).contains("did not answer `launch` within 1 s"));
    });
    done.recv_timeout(LONG).unwrap();
}

#[test]
fn the_end_of_a_plugin_is_heard_although_what_it_left_behind_prints_on() {
    let folder = Folder::new();
    let cases = r#"launch) setsid sh -c ': > FOLDER/apart; exec yes flood >&2' &
        until [ -e FOLDER/apart ]; do :; done; kill -9 $$ ;;"#;
    let launcher = launcher(&folder, cases);
    let (reports, reported) = reports();
    let done = aside(move || {
        launcher.launch(attempt(0, 1), &reports).unwrap();
        assert!(end(&reported).contains("was ended by SIGKILL"));
    });
    done.recv_timeout(LONG).unwrap();
}

#[test]
fn a_launcher_is_dropped_while_its_plugin_prints() {
    let folder = Folder::new();
    let cases = r#"launch) answer "$id" '{"job":"7"}'; : > FOLDER/launched; exec yes flood >&2 ;;"#;
    let launcher = launcher(&folder, cases);
    let (reports, _) = reports();
    launcher.launch(attempt(0, 1), &reports).unwrap();
    folder.wait_for("launched");
    aside(move || drop(launcher)).recv_timeout(LONG).unwrap();
}
