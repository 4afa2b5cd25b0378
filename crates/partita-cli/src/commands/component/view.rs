//! How components are shown.

use std::collections::BTreeMap;

use partita_core::literal::Literal;
use partita_core::stack::{Component, ComponentType};
use serde::Serialize;

/// A component; the JSON of `list` and `describe`.
#[derive(Serialize)]
pub(crate) struct ComponentView<'a> {
    pub(crate) name: &'a str,
    #[serde(rename = "type")]
    pub(crate) component_type: ComponentType,
    pub(crate) flavor: &'a str,
    pub(crate) config: &'a BTreeMap<String, Literal>,
}

impl<'a> From<&'a Component> for ComponentView<'a> {
    fn from(component: &'a Component) -> Self {
        Self {
            name: &component.name,
            component_type: component.component_type,
            flavor: &component.flavor,
            config: &component.config,
        }
    }
}

impl ComponentView<'_> {
    /// Returns its type in words.
    pub(crate) fn type_words(&self) -> String {
        self.component_type.to_string()
    }

    /// Returns its configuration on one line.
    pub(crate) fn config_words(&self) -> String {
        self.config
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect::<Vec<_>>()
            .join(" ")
    }
}
