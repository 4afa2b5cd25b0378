//! The configuration of a `docker` orchestrator.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};

use partita_core::literal::Literal;
use partita_core::settings::{Memory, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settings::DockerOrchestratorSettings;
use crate::machine;
use crate::output::LogLimits;

/// The configuration of a `docker` orchestrator. What it says of containers is the default of steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DockerOrchestratorConfig {
    /// The engine, as `unix:///run/docker.sock` or `tcp://localhost:2375`; by default what
    /// `DOCKER_HOST` says, or else the engine of this machine.
    pub host: Option<String>,
    /// The image of steps that name none.
    pub parent_image: Option<String>,
    /// How many steps run at once; by default as many as there are processors.
    pub max_parallelism: Option<NonZeroUsize>,
    /// The processor cores that steps may ask for together; by default those of the machine.
    pub cpu_count: Option<f64>,
    /// The memory that steps may ask for together; by default that of the machine.
    pub memory: Option<Memory>,
    /// The ids of the graphics processors that steps may ask for, as the engine's device requests
    /// name them; by default those of the machine.
    pub gpus: Option<Vec<String>>,
    /// How long a cancelled step may take to end before it is killed.
    pub grace: Span,
    /// How long the engine may be out of reach before steps that run on it are given up.
    pub patience: Span,
    /// Which containers are removed when they have ended.
    pub remove: Remove,
    /// The lines a second that the log of a step takes; by default all.
    pub log_rate: Option<NonZeroU32>,
    /// The bytes of output that the log of a step takes.
    pub log_size: Memory,
    /// What is said of every container.
    #[serde(flatten)]
    pub settings: DockerOrchestratorSettings,
}

/// Which containers are removed when they have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Remove {
    /// All of them.
    Always,
    /// Those whose step completed.
    Completed,
    /// None.
    Never,
}

impl Remove {
    /// Returns whether a container stays that has ended, and whose step completed or did not.
    pub(super) fn keeps(self, is_good: bool) -> bool {
        match self {
            Self::Always => false,
            Self::Completed => !is_good,
            Self::Never => true,
        }
    }
}

impl Default for DockerOrchestratorConfig {
    fn default() -> Self {
        Self {
            host: None,
            parent_image: None,
            max_parallelism: None,
            cpu_count: None,
            memory: None,
            gpus: None,
            grace: Span(10.0),
            patience: Span(60.0),
            remove: Remove::Always,
            log_rate: None,
            log_size: Memory(1_000_000_000),
            settings: DockerOrchestratorSettings::default(),
        }
    }
}

impl DockerOrchestratorConfig {
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
        config.settings.check()?;
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

    pub(super) fn gpus(&self) -> Vec<String> {
        self.gpus.clone().unwrap_or_else(machine::gpus)
    }

    pub(super) fn log_limits(&self) -> LogLimits {
        LogLimits { rate: self.log_rate, size: self.log_size }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<DockerOrchestratorConfig, &str>) {
        let config: BTreeMap<String, Literal> = serde_json::from_str(text).unwrap();
        match (DockerOrchestratorConfig::of(&config), expected) {
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
            (config, expected) => {
                assert_eq!(config.as_ref().ok(), expected.ok().as_ref(), "{text} {config:?}")
            }
        }
    }

    #[test]
    fn a_configuration_is_read_and_checked() {
        check("{}", Ok(DockerOrchestratorConfig::default()));
        let settings = DockerOrchestratorSettings {
            network: Some("none".to_owned()),
            ..DockerOrchestratorSettings::default()
        };
        let config = DockerOrchestratorConfig {
            patience: Span(5.0),
            remove: Remove::Completed,
            settings,
            ..DockerOrchestratorConfig::default()
        };
        check(r#"{"patience": "5s", "remove": "completed", "network": "none"}"#, Ok(config));
        check(r#"{"remove": "sometimes"}"#, Err("`remove`: unknown variant"));
        check(r#"{"cpu_count": 0}"#, Err("above 0"));
        check(r#"{"volumes": ["data"]}"#, Err("`data` is no volume"));
        check(r#"{"netwrok": "none"}"#, Err("unknown field"));
    }
}
