//! How steps are entered, and what is said after each.

use std::collections::BTreeMap;

use nix::sys::resource::{UsageWho, getrusage};
use partita::plugin::{
    BaseEntrypointConfiguration, EntrypointArguments, EntrypointSource, Result,
    StepEntrypointConfiguration,
};

use crate::config::SandboxConfig;

/// The option that tells what the step has of its own.
const NAMESPACES: &str = "namespaces";

/// What enters the steps of a component.
pub(crate) struct SandboxEntrypoint {
    source: EntrypointSource,
    namespaces: String,
}

impl SandboxEntrypoint {
    /// Returns the one that a component is configured to have.
    pub(crate) fn of(config: &SandboxConfig) -> Self {
        let source = match &config.entrypoint {
            Some(class) => EntrypointSource::Class(class.clone()),
            None if config.measure => EntrypointSource::Executable,
            None => EntrypointSource::default(),
        };
        Self { source, namespaces: config.namespaces() }
    }

    /// Returns the one that this executable is, in a sandbox.
    pub(crate) fn entered(entrypoint_args: &BTreeMap<String, String>) -> Self {
        let namespaces = entrypoint_args.get(NAMESPACES).cloned().unwrap_or_default();
        Self { source: EntrypointSource::Executable, namespaces }
    }
}

impl BaseEntrypointConfiguration for SandboxEntrypoint {
    fn source(&self) -> EntrypointSource {
        self.source.clone()
    }

    fn get_entrypoint_options(&self) -> Vec<String> {
        let is_told = self.source != EntrypointSource::default();
        is_told.then(|| NAMESPACES.to_owned()).into_iter().collect()
    }

    fn get_entrypoint_arguments(&self, _: &EntrypointArguments) -> Vec<String> {
        let value = |name| format!("--{name}={}", self.namespaces);
        self.get_entrypoint_options().into_iter().map(value).collect()
    }
}

impl StepEntrypointConfiguration for SandboxEntrypoint {
    fn post_run(&self, pipeline_name: &str, step_name: &str) -> Result<()> {
        let used = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(std::io::Error::from)?;
        let (user, system) = (used.user_time(), used.system_time());
        let seconds = |sec: i64, usec: i64| sec as f64 + usec as f64 / 1e6;
        let taken =
            seconds(user.tv_sec(), user.tv_usec()) + seconds(system.tv_sec(), system.tv_usec());
        println!(
            "{pipeline_name}: {step_name} took {taken:.2} s of the processor and {} MiB of memory, with {} of its own",
            used.max_rss() / 1024,
            self.namespaces
        );
        Ok(())
    }
}
