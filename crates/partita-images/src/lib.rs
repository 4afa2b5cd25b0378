//! Image builders and container registries: from what steps ask of their image to an image.
//!
//! An image is made of layers on top of another one, the *parent*: what is installed for its steps, and
//! the running Partita. It is named after all that it is made of, its *recipe*, so that one that is
//! there is never made again. The author's code is its last layer, where it does not come out of the
//! artifact store.

pub mod builder;
mod bytecode;
mod code;
mod engine_build;
mod engine_run;
mod error;
mod groups;
#[cfg(feature = "registries")]
mod in_registries;
#[cfg(not(feature = "registries"))]
#[path = "no_registries.rs"]
mod in_registries;
mod instructions;
mod keeper;
mod layer;
mod make;
mod native;
mod on_engine;
mod own;
mod parent;
mod recipe;
pub mod registry;
mod said;
mod transfer;
mod work;

use std::collections::BTreeMap;

use partita_core::literal::Literal;
use partita_core::stack::{Component, ComponentType, Flavor};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

pub use builder::Builder;
pub use code::Code;
pub use error::ImageError;
pub use make::{Request, StepImage, make, plan};
pub use own::OwnPython;
pub use recipe::LABEL;
pub use registry::Registry;

/// Returns the flavors of image builders and container registries; they need no registration.
pub fn flavors() -> Vec<Flavor> {
    let mut flavors = builder::flavors();
    flavors.extend(registry::flavors());
    flavors
}

/// Checks a component of one of these types beyond what its flavor's schema says.
///
/// # Errors
/// What is wrong with its configuration.
pub fn check(component: &Component) -> Result<(), String> {
    match component.component_type {
        ComponentType::ImageBuilder => Builder::of(component).map(drop),
        ComponentType::ContainerRegistry => Registry::check(component),
        ComponentType::Orchestrator | ComponentType::ArtifactStore => Ok(()),
    }
}

fn flavor<C: JsonSchema>(kind: ComponentType, name: &str, description: &str) -> Flavor {
    Flavor {
        name: name.to_owned(),
        component_type: kind,
        description: description.to_owned(),
        source: "built-in".to_owned(),
        config_schema: schemars::schema_for!(C).to_value(),
        settings_schema: None,
        plugin: None,
    }
}

fn configuration<C: DeserializeOwned>(config: &BTreeMap<String, Literal>) -> Result<C, String> {
    let read = || -> Result<C, serde_json::Error> {
        serde_json::from_value(serde_json::to_value(config)?)
    };
    read().map_err(|error| error.to_string())
}

fn unknown_flavor(component: &Component) -> String {
    format!("there is no flavor `{}` of type {}", component.flavor, component.component_type)
}
