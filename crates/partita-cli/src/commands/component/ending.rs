//! What is tidied up before this process ends, if somebody asks it to meanwhile.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread::JoinHandle;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::emulate_default_handler;

const ASKS: [i32; 3] = [SIGHUP, SIGINT, SIGTERM];

/// Whether this process ends at once when it is asked to. A signal that was taken once does not get its
/// own effect back by itself.
static AT_ONCE: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| {
    let at_once = Arc::new(AtomicBool::new(true));
    for signal in ASKS {
        // Where that is not possible, taking the signal is not either, which is told.
        let _ = signal_hook::flag::register_conditional_default(signal, Arc::clone(&at_once));
    }
    at_once
});

/// Takes what asks this process to end, for as long as there is something to tidy up.
pub(super) struct Ending {
    /// The signal, or 0.
    asked: Arc<AtomicI32>,
    watch: Handle,
    watcher: Option<JoinHandle<()>>,
}

impl Ending {
    /// Has `tidy` called, on a thread of its own, when this process is asked to end.
    pub(super) fn hold(tidy: impl Fn() + Send + 'static) -> io::Result<Self> {
        let mut signals = Signals::new(ASKS)?;
        AT_ONCE.store(false, Ordering::SeqCst);
        let (watch, asked) = (signals.handle(), Arc::new(AtomicI32::new(0)));
        let told = Arc::clone(&asked);
        let wait = move || {
            for signal in signals.forever() {
                told.store(signal, Ordering::SeqCst);
                tidy();
            }
        };
        let watcher = std::thread::Builder::new().name("partita-ending".to_owned()).spawn(wait);
        let mut ending = Self { asked, watch, watcher: None };
        ending.watcher = Some(watcher?);
        Ok(ending)
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst) != 0
    }

    /// Ends this process if it was asked to, now that all is tidy.
    pub(super) fn obey(self) {
        let asked = Arc::clone(&self.asked);
        drop(self);
        match asked.load(Ordering::SeqCst) {
            0 => {}
            signal => drop(emulate_default_handler(signal)),
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        AT_ONCE.store(true, Ordering::SeqCst);
        self.watch.close();
        if let Some(watcher) = self.watcher.take() {
            let _ = watcher.join();
        }
    }
}
