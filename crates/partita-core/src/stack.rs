//! Stacks, their components, and the flavors that components are instances of.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::literal::Literal;
use crate::settings::{Amounts, millicores};

/// What a component does in a stack.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ComponentType {
    /// Makes the steps of a deployment run, in order, somewhere.
    Orchestrator,
    /// Keeps deployments, runs and artifacts.
    ArtifactStore,
    /// Makes the images that steps run in.
    ImageBuilder,
    /// Keeps images, for engines elsewhere.
    ContainerRegistry,
}

impl ComponentType {
    /// Every component type.
    pub const ALL: [Self; 4] =
        [Self::Orchestrator, Self::ArtifactStore, Self::ImageBuilder, Self::ContainerRegistry];

    /// Returns the word that documents use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Orchestrator => "orchestrator",
            Self::ArtifactStore => "artifact_store",
            Self::ImageBuilder => "image_builder",
            Self::ContainerRegistry => "container_registry",
        }
    }

    /// Returns the word that the command line uses.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Orchestrator => "orchestrator",
            Self::ArtifactStore => "artifact-store",
            Self::ImageBuilder => "image-builder",
            Self::ContainerRegistry => "container-registry",
        }
    }
}

impl fmt::Display for ComponentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.as_str().replace('_', " "))
    }
}

impl FromStr for ComponentType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_meant = |kind: &Self| kind.as_str() == text || kind.verb() == text;
        Self::ALL.into_iter().find(is_meant).ok_or_else(|| {
            let known = Self::ALL.map(|kind| format!("`{}`", kind.as_str())).join(", ");
            format!("`{text}` is not a component type; there are {known}")
        })
    }
}

/// A configured instance of a flavor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Its name, unique among components of its type.
    pub name: String,
    /// What it does.
    #[serde(rename = "type")]
    pub component_type: ComponentType,
    /// The flavor it is an instance of.
    pub flavor: String,
    /// Its configuration.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, Literal>,
}

/// A named set of components.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// The orchestrators; the first is the default.
    pub orchestrators: Vec<Component>,
    /// Where its artifacts are kept.
    pub artifact_store: Component,
    /// What makes the images that its steps run in; absent where that is left to the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_builder: Option<Component>,
    /// Where those images are kept; absent where they stay in the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_registry: Option<Component>,
}

impl Stack {
    /// Returns the orchestrator of steps that name none.
    pub fn orchestrator(&self) -> Option<&Component> {
        self.orchestrators.first()
    }

    /// Returns all components, the orchestrators first.
    pub fn components(&self) -> impl Iterator<Item = &Component> {
        let optional = self.image_builder.iter().chain(&self.container_registry);
        self.orchestrators.iter().chain([&self.artifact_store]).chain(optional)
    }

    /// Returns the orchestrator of steps that name this one, or none.
    pub fn orchestrator_named(&self, name: Option<&str>) -> Option<&Component> {
        self.orchestrators.iter().find(|found| name.is_none_or(|name| found.name == name))
    }
}

/// A kind of component: its name, its type, and what configures it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flavor {
    /// Its name, unique among flavors of its type.
    pub name: String,
    /// The component type of its instances.
    #[serde(rename = "type")]
    pub component_type: ComponentType,
    /// One sentence on what it does.
    pub description: String,
    /// Where its implementation comes from: `built-in`, or a source.
    pub source: String,
    /// The JSON Schema of its configuration.
    pub config_schema: serde_json::Value,
    /// The JSON Schema of its settings on pipelines and steps, if it is built in and takes any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings_schema: Option<serde_json::Value>,
    /// What is kept of it besides, if it is not built in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<Plugin>,
}

impl Flavor {
    /// Returns the JSON Schema of its settings on pipelines and steps, if it takes any.
    pub fn settings(&self) -> Option<&serde_json::Value> {
        let of_plugin = || self.plugin.as_ref()?.settings_schema.as_ref();
        self.settings_schema.as_ref().or_else(of_plugin)
    }
}

/// What is kept of a flavor that lives in a process of its own, so that its components can be
/// configured and pipelines compiled where it cannot be loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plugin {
    /// What its source is.
    pub origin: Origin,
    /// What its orchestrators can do.
    pub capabilities: Capabilities,
    /// The JSON Schema of its settings on pipelines and steps, if it takes any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings_schema: Option<serde_json::Value>,
    /// Where its documentation is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docs_url: Option<String>,
    /// Where its logo is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_url: Option<String>,
}

/// What the source of a flavor is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The absolute path of an executable.
    Executable {
        /// The digest of its content; another one is not started.
        digest: Digest,
        /// The package that it was built of, as `NAME@VERSION`, if that was done for this flavor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        package: Option<String>,
    },
    /// The dotted path of a Python class.
    Python {
        /// The folder that the path begins in.
        source_root: String,
    },
}

/// What an orchestrator can do for a step; a pipeline that asks for more is refused.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Capabilities {
    /// Steps at once; `None` for as many as are ready.
    pub max_parallelism: Option<usize>,
    /// Whether an attempt can be ended when its time is over.
    pub timeouts: bool,
    /// The longest time, in seconds, that an attempt may take to end once it was cancelled.
    pub grace: f64,
    /// Whether steps are loaded again in another process, by their module and name.
    pub loads_steps_again: bool,
    /// Processor cores that steps may ask for together; `None` if it has as many as anyone asks for.
    pub cpus: Option<f64>,
    /// Memory that attempts get, and no more; `Some(0)` if it cannot give and enforce it.
    pub memory: Option<u64>,
    /// Graphics processors that attempts get for themselves.
    pub gpus: Option<u32>,
    /// Whether steps may say of which class theirs is.
    #[serde(default)]
    pub gpu_classes: bool,
    /// Whether unenforceable requests are let through because its owner said so.
    pub allow_unenforced: bool,
    /// Whether steps run in the images that they ask for.
    #[serde(default)]
    pub images: bool,
    /// Whether it goes through the steps by itself and starts their entrypoints, so that no engine
    /// drives.
    #[serde(default)]
    pub delegates: Delegates,
    /// What its flavor says of its configuration; `None` where that is not known.
    #[serde(skip)]
    pub claims: Option<Claims>,
}

/// What a flavor says of one configuration; it is kept with the component, so that pipelines are
/// compiled where the flavor cannot be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Whether steps run on other machines, where no secrets can be handed over.
    pub is_remote: bool,
    /// Whether a run is over when the orchestrator is done with it; else it is submitted.
    pub is_synchronous: bool,
}

/// Whether an orchestrator goes through the steps by itself and starts their entrypoints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Delegates {
    /// It does not.
    #[default]
    No,
    /// It says so when it is opened.
    Maybe,
    /// It does.
    Yes,
    /// It does, and goes on with what does not depend on a step that failed, if that is asked.
    Throughout,
}

impl Capabilities {
    /// Returns whether it is known that no engine drives its runs.
    pub fn is_delegated(&self) -> bool {
        match self.delegates {
            Delegates::No => false,
            Delegates::Maybe => self.claims.is_some_and(|claims| !claims.is_synchronous),
            Delegates::Yes | Delegates::Throughout => true,
        }
    }

    /// Returns what the steps that run at once may ask for together.
    pub fn supply(&self) -> Amounts {
        Amounts {
            millicores: self.cpus.map_or(u64::MAX, millicores),
            memory: self.memory.unwrap_or(u64::MAX),
            gpus: self.gpus.map_or(u64::MAX, u64::from),
        }
    }
}
