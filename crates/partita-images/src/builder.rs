//! The flavors of image builders, their configurations, and what each of them can do.

use std::collections::BTreeMap;

use partita_core::stack::{Component, ComponentType, Flavor, Stack};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The engine's own build.
pub const DOCKER: &str = "docker";
/// Layers that Partita writes by itself.
pub const NATIVE: &str = "native";

/// The configuration of a `docker` image builder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DockerImageBuilderConfig {
    /// The network of what runs while an image is built: `host`, `none`, or the name of one; by
    /// default the engine's.
    pub network: Option<String>,
}

/// The configuration of a `native` image builder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NativeImageBuilderConfig {}

/// What makes images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Builder {
    /// The engine.
    Docker(DockerImageBuilderConfig),
    /// Partita itself.
    Native,
}

/// Returns the flavors.
pub(crate) fn flavors() -> Vec<Flavor> {
    let kind = ComponentType::ImageBuilder;
    vec![
        crate::flavor::<DockerImageBuilderConfig>(
            kind,
            DOCKER,
            "Has the engine of the steps build their images.",
        ),
        crate::flavor::<NativeImageBuilderConfig>(
            kind,
            NATIVE,
            "Writes the layers of images by itself, the same bytes each time.",
        ),
    ]
}

impl Builder {
    /// Returns the builder that a component describes.
    ///
    /// # Errors
    /// What is wrong with its configuration.
    pub fn of(component: &Component) -> Result<Self, String> {
        match component.flavor.as_str() {
            DOCKER => Ok(Self::Docker(crate::configuration(&component.config)?)),
            NATIVE => crate::configuration::<NativeImageBuilderConfig>(&component.config)
                .map(|NativeImageBuilderConfig {}| Self::Native),
            _ => Err(crate::unknown_flavor(component)),
        }
    }

    /// Returns the builder of a stack; the engine's where it names none.
    ///
    /// # Errors
    /// What is wrong with its configuration.
    pub fn of_stack(stack: &Stack) -> Result<Self, String> {
        let engine = || Ok(Self::Docker(DockerImageBuilderConfig::default()));
        stack.image_builder.as_ref().map_or_else(engine, Self::of)
    }

    /// Returns the keys of `settings.docker` that it cannot honour, each with the reason.
    pub fn refused(&self) -> BTreeMap<&'static str, &'static str> {
        const NOTHING: &str = "it runs nothing while it makes an image";
        match self {
            Self::Docker(_) => BTreeMap::new(),
            Self::Native => BTreeMap::from([
                ("apt_packages", NOTHING),
                ("dockerfile", NOTHING),
                ("build_context_root", NOTHING),
                ("dockerignore", NOTHING),
            ]),
        }
    }

    /// Returns the name of its flavor.
    pub fn flavor(&self) -> &'static str {
        match self {
            Self::Docker(_) => DOCKER,
            Self::Native => NATIVE,
        }
    }
}
