//! The configuration of a `process` orchestrator, and what the machine has where it says nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroUsize};

use partita_core::literal::Literal;
use partita_core::settings::{Memory, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::machine;
use crate::output::LogLimits;

/// A year, in seconds.
const LONGEST_GRACE: f64 = 365.0 * 86_400.0;

/// The configuration of a `process` orchestrator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProcessOrchestratorConfig {
    /// How many steps run at once; by default as many as there are processors.
    pub max_parallelism: Option<NonZeroUsize>,
    /// The processor cores that steps may ask for together; by default those of the machine.
    pub cpu_count: Option<f64>,
    /// The memory that steps may ask for together; by default that of the machine.
    pub memory: Option<Memory>,
    /// The ids of the graphics processors that steps may ask for; by default those that CUDA sees.
    pub gpus: Option<Vec<String>>,
    /// Whether steps are forked from a process that has imported their modules, instead of each
    /// starting Python anew.
    pub warm: bool,
    /// How long a cancelled step may take to end before it is killed.
    pub grace: Span,
    /// The lines a second that the log of a step takes; by default all.
    pub log_rate: Option<NonZeroU32>,
    /// The bytes of output that the log of a step takes.
    pub log_size: Memory,
}

impl Default for ProcessOrchestratorConfig {
    fn default() -> Self {
        Self {
            max_parallelism: None,
            cpu_count: None,
            memory: None,
            gpus: None,
            warm: true,
            grace: Span(10.0),
            log_rate: None,
            log_size: Memory(1_000_000_000),
        }
    }
}

impl ProcessOrchestratorConfig {
    /// Reads the configuration of a component.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn of(config: &BTreeMap<String, Literal>) -> Result<Self, String> {
        let read = |config: &BTreeMap<String, Literal>| -> Result<Self, serde_json::Error> {
            serde_json::from_value(serde_json::to_value(config)?)
        };
        let config = read(config).map_err(|error| {
            let is_wrong = |(key, value): &(&String, &Literal)| {
                read(&BTreeMap::from([((*key).clone(), (*value).clone())])).is_err()
            };
            let wrong = config.iter().find(is_wrong).map(|(key, _)| format!("`{key}`: "));
            format!("{}{error}", wrong.unwrap_or_default())
        })?;
        if let Some(count) = config.cpu_count.filter(|count| !(count.is_finite() && *count > 0.0)) {
            return Err(format!("`cpu_count` is {count}, and must be a number above 0"));
        }
        if config.grace.0 > LONGEST_GRACE {
            return Err(format!("`grace` is {}, and a step may take a year to end", config.grace));
        }
        let mut known = BTreeSet::new();
        if let Some(id) = config.gpus.iter().flatten().find(|id| !known.insert(*id)) {
            return Err(format!("`gpus` has `{id}` twice, and two steps would be given it"));
        }
        Ok(config)
    }

    pub(super) fn max_parallelism(&self) -> usize {
        self.max_parallelism.map_or_else(machine::processors, NonZeroUsize::get)
    }

    pub(super) fn cpus(&self) -> f64 {
        self.cpu_count.unwrap_or(machine::processors() as f64)
    }

    pub(super) fn memory(&self) -> u64 {
        self.memory.map_or_else(machine::memory, |memory| memory.0)
    }

    pub(super) fn log_limits(&self) -> LogLimits {
        LogLimits { rate: self.log_rate, size: self.log_size }
    }

    pub(super) fn gpus(&self) -> Vec<String> {
        self.gpus.clone().unwrap_or_else(machine::gpus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<ProcessOrchestratorConfig, &str>) {
        let config: BTreeMap<String, Literal> = serde_json::from_str(text).unwrap();
        match (ProcessOrchestratorConfig::of(&config), expected) {
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
            (config, expected) => {
                assert_eq!(config.as_ref().ok(), expected.ok().as_ref(), "{text}")
            }
        }
    }

    #[test]
    fn a_configuration_is_read_and_checked() {
        check("{}", Ok(ProcessOrchestratorConfig::default()));
        let processors = std::thread::available_parallelism().unwrap().get();
        assert_eq!(ProcessOrchestratorConfig::default().max_parallelism(), processors);
        let config = ProcessOrchestratorConfig {
            max_parallelism: NonZeroUsize::new(4),
            memory: Some(Memory(2_000_000_000)),
            grace: Span(60.0),
            ..ProcessOrchestratorConfig::default()
        };
        check(r#"{"max_parallelism": 4, "memory": "2GB", "grace": "1m"}"#, Ok(config));
        check(r#"{"max_parallelism": 0}"#, Err("zero"));
        check(r#"{"cpu_count": -1}"#, Err("above 0"));
        check(r#"{"memory": "2"}"#, Err("not an amount of memory"));
        check(r#"{"paralellism": 4}"#, Err("unknown field"));
        check(r#"{"grace": "200000000000000d"}"#, Err("a year"));
        check(r#"{"gpus": ["0", "1", "0"]}"#, Err("`0` twice"));
    }
}
