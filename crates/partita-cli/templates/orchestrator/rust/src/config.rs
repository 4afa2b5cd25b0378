//! How components are configured. It is read when one is registered.

use partita::plugin::{BaseOrchestratorConfig, Problem};
use schemars::JsonSchema;
use serde::Deserialize;

/// How steps are run.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MyFlavorOrchestratorConfig {
    /// How much steps stand back for other processes.
    #[serde(default)]
    #[schemars(range(max = 19))]
    pub nice: u8,
}

impl BaseOrchestratorConfig for MyFlavorOrchestratorConfig {
    /// Refuses what the system would not take.
    fn problems(&self) -> Vec<Problem> {
        match self.nice {
            0..=19 => Vec::new(),
            nice => {
                vec![Problem::of("nice", format!("it is {nice}, and must be from 0 to 19"))]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_configuration_is_refused_by_name() {
        let problems = |nice| MyFlavorOrchestratorConfig { nice }.problems();
        assert_eq!(problems(19), []);
        assert_eq!(problems(20)[0].field.as_deref(), Some("nice"));
    }
}
