//! Says so when Partita itself is wrong.

use std::io::Write;
use std::panic::{PanicHookInfo, set_hook};

/// The exit code of a command that ends with a bug in Partita.
pub const EXIT_CODE: u8 = 70;

/// Has each panic told in one paragraph instead of as a Rust panic message, and `then` called.
pub fn report_panics(then: impl Fn() + Sync + Send + 'static) {
    set_hook(Box::new(move |panic| {
        let _ = writeln!(std::io::stderr(), "{}", told(panic));
        then();
    }));
}

fn told(panic: &PanicHookInfo<'_>) -> String {
    let place = panic.location().map(|at| format!("{}:{}", at.file(), at.line()));
    paragraph(place.as_deref(), panic.payload_as_str().unwrap_or("no message"))
}

/// Says that Partita itself is wrong, and where in its source (`file:line`).
#[must_use]
pub fn paragraph(place: Option<&str>, message: &str) -> String {
    let place = place.map(|place| format!(" at {place}")).unwrap_or_default();
    format!(
        "error: this is a bug in Partita {}{place}: {}; runs and artifacts are safe, since \
         finished steps are committed whole; please report it with what you typed.",
        env!("CARGO_PKG_VERSION"),
        message.replace('\n', " ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[ignore = "the other test runs it in a process of its own"]
    fn a_process_with_a_bug() {
        report_panics(|| std::process::exit(i32::from(EXIT_CODE)));
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
