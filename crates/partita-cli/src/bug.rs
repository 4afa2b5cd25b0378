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
