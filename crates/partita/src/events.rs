//! Lines that steps do not print, in their logs: events of `tracing`, and records of `log`.

use std::io::{self, Write};

use crate::capture;

/// Writes whole lines to the log of the step that runs in this process, and to standard error; for a
/// subscriber of your own.
///
/// With the feature `tracing`, `tracing::info!("read")` is in the step's log by itself, and so is a record
/// of the crate `log`. The variable `RUST_LOG` says which are: `info` and above if it is not set;
/// `debug`, or `warn,my_crate=trace`. A program that sets a subscriber of its own in `main` keeps it:
///
/// ```no_run
/// use partita::StepLogWriter;
/// use partita::prelude::*;
///
/// #[step]
/// fn load() -> u32 {
///     tracing::info!(rows = 3, "read");
///     3
/// }
///
/// #[pipeline]
/// fn loading() {
///     load();
/// }
///
/// fn main() -> ExitCode {
///     tracing_subscriber::fmt().with_ansi(false).with_writer(|| StepLogWriter).init();
///     partita::main![loading]
/// }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct StepLogWriter;

impl Write for StepLogWriter {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        capture::note(lines)?;
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Has events written to the logs of steps from now on, if nobody else takes them.
#[cfg(feature = "tracing")]
pub(crate) fn listen() {
    use tracing::level_filters::LevelFilter;
    use tracing_subscriber::filter::Targets;
    use tracing_subscriber::fmt;
    use tracing_subscriber::layer::{Layer, SubscriberExt};
    use tracing_subscriber::util::SubscriberInitExt;

    let usual = || Targets::new().with_default(LevelFilter::INFO);
    let asked = std::env::var("RUST_LOG").ok().filter(|wanted| !wanted.is_empty());
    let asked = asked.map(|wanted| wanted.parse::<Targets>());
    let (wanted, mistake) = match asked {
        Some(Ok(wanted)) => (wanted, None),
        Some(Err(mistake)) => (usual(), Some(mistake)),
        None => (usual(), None),
    };
    // The log knows when a line was written.
    let lines = fmt::layer().with_ansi(false).without_time().with_writer(|| StepLogWriter);
    let listening = tracing_subscriber::registry().with(lines.with_filter(wanted)).try_init();
    if let (Ok(()), Some(mistake)) = (listening, mistake) {
        tracing::warn!("`RUST_LOG` is not understood, and `info` is taken instead: {mistake}");
    }
}
