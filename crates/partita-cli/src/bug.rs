//! Says so when Partita itself is wrong.

use std::io::Write;
use std::panic::{PanicHookInfo, set_hook};

use crate::error::BUG;

/// Ends the process with one paragraph instead of a Rust panic message.
pub(crate) fn report_panics() {
    set_hook(Box::new(|panic| {
        let _ = writeln!(std::io::stderr(), "{}", paragraph(panic));
        std::process::exit(i32::from(BUG));
    }));
}

fn paragraph(panic: &PanicHookInfo<'_>) -> String {
    let message = panic.payload_as_str().unwrap_or("no message").replace('\n', " ");
    let place =
        panic.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
    format!(
        "error: this is a bug in Partita {}{place}: {message}; runs and artifacts are safe, since \
         finished steps are committed whole; please report it with what you typed.",
        env!("CARGO_PKG_VERSION")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[ignore = "the other test runs it in a process of its own"]
    fn a_process_with_a_bug() {
        report_panics();
        panic!("two\nlines");
    }

    #[test]
    fn a_panic_ends_the_process_with_one_paragraph_that_asks_for_a_report() {
        let output = std::process::Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "bug::tests::a_process_with_a_bug", "--ignored", "--nocapture"])
            .output()
            .expect("it starts");
        assert_eq!(output.status.code(), Some(70));
        let said = String::from_utf8_lossy(&output.stderr);
        let [line] = said.lines().collect::<Vec<_>>()[..] else { panic!("{said}") };
        assert!(line.starts_with("error: this is a bug in Partita "), "{line}");
        assert!(line.contains(": two lines; ") && line.contains("please report it"), "{line}");
    }
}
