//! Ctrl-C and SIGTERM: the first one cancels the run, the second one ends the process.
//!
//! A step that runs in this process is not interrupted: the run is cancelled when it returns.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use partita_cli::error::CANCELLED;
use partita_cli::pipeline::Cancel;
use signal_hook::consts::{SIGINT, SIGTERM};

/// Signals that ask for the end of a run, and end this process no more.
pub(super) struct Signals(signal_hook::iterator::Signals);

/// Whether a signal has come.
#[derive(Clone, Default)]
pub(super) struct Told(Arc<AtomicBool>);

impl Told {
    pub(super) fn is_told(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Keeps signals from ending the process; processes that it starts have them as always.
pub(super) fn hear() -> io::Result<Signals> {
    signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).map(Signals)
}

impl Signals {
    /// Has the first signal cancel a run and ring a bell.
    pub(super) fn cancel(mut self, run: Arc<Cancel>, bell: OwnedFd) -> Told {
        let told = Told::default();
        let seen = told.clone();
        let wait = move || {
            for _ in self.0.forever() {
                if seen.0.swap(true, Ordering::SeqCst) {
                    process::exit(CANCELLED.into());
                }
                run.cancel();
                let _ = nix::unistd::write(bell.as_fd(), &[0]);
                let _ = writeln!(io::stderr(), "cancelling; once more ends it at once");
            }
        };
        // Without it, signals wait until the run is over.
        let _ = thread::Builder::new().name("partita-signals".to_owned()).spawn(wait);
        told
    }
}
