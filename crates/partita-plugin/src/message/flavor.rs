//! What is said of a flavor, outside of runs.

use std::collections::BTreeMap;
use std::fmt;

use partita_core::literal::Literal;
pub use partita_core::stack::Delegates;
use partita_core::stack::{Capabilities, Claims};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The answer to `describe`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Description {
    /// The flavor's name.
    pub name: String,
    /// The component type of its instances; `orchestrator`.
    #[serde(rename = "type")]
    pub component_type: String,
    /// One sentence on what it does.
    #[serde(default)]
    pub description: String,
    /// Where its documentation is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docs_url: Option<String>,
    /// Where its logo is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_url: Option<String>,
    /// The JSON Schema of a component's configuration.
    pub config_schema: Value,
    /// The JSON Schema of its settings on pipelines and steps; absent if it takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings_schema: Option<Value>,
    /// What its steps may ask for.
    #[serde(default)]
    pub supply: Supply,
}

/// What steps may ask of an orchestrator; a pipeline that asks for more is refused. A key that is not
/// known is an error: what is claimed is kept to, or not claimed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Supply {
    /// Steps at once; absent for as many as are ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_parallelism: Option<usize>,
    /// Seconds that an attempt may take to end once it was cancelled.
    #[schemars(range(min = 0, max = 86_400))]
    pub grace: f64,
    /// Processor cores of the steps that run at once.
    pub cpus: Amount,
    /// Bytes of memory of the steps that run at once.
    pub memory: Amount,
    /// Graphics processors of the steps that run at once.
    pub gpus: Amount,
    /// Whether steps run in the images that they ask for.
    #[serde(skip_serializing_if = "is_false")]
    pub images: bool,
    /// Whether it goes through the steps by itself and starts their entrypoints.
    #[serde(skip_serializing_if = "is_no")]
    pub delegates: Delegates,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_no(delegates: &Delegates) -> bool {
    *delegates == Delegates::No
}

impl Default for Supply {
    /// Returns what is taken of a plugin that says nothing: no graphics processors, and no memory
    /// that anyone enforces.
    fn default() -> Self {
        Self {
            max_parallelism: None,
            grace: 10.0,
            cpus: Amount::ANY,
            memory: Amount::NONE,
            gpus: Amount::NONE,
            images: false,
            delegates: Delegates::No,
        }
    }
}

impl Supply {
    /// Returns what the compiler checks pipelines against.
    pub fn capabilities(&self) -> Capabilities {
        Capabilities {
            max_parallelism: self.max_parallelism,
            timeouts: true,
            grace: self.grace,
            loads_steps_again: true,
            cpus: self.cpus.number(),
            memory: self.memory.number().map(|bytes| bytes as u64),
            gpus: self.gpus.number().map(|count| count as u32),
            gpu_classes: true,
            allow_unenforced: false,
            images: self.images,
            delegates: self.delegates,
            claims: None,
        }
    }
}

impl Supply {
    /// Returns the key of what is claimed in parts, and comes in wholes alone.
    pub(crate) fn fraction(&self) -> Option<&'static str> {
        let whole = [("memory", self.memory), ("gpus", self.gpus)];
        let is_part = |amount: Amount| amount.number().is_some_and(|number| number.fract() != 0.0);
        whole.into_iter().find(|(_, amount)| is_part(*amount)).map(|(key, _)| key)
    }
}

/// A number, or `"any"`: as much as anyone asks for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Amount {
    /// So much.
    Number(#[schemars(range(min = 0))] f64),
    /// As much as anyone asks for.
    Any(Any),
}

impl Amount {
    /// Nothing.
    pub const NONE: Self = Self::Number(0.0);
    /// As much as anyone asks for.
    pub const ANY: Self = Self::Any(Any::Any);

    /// Returns the number, or `None` if it is as much as anyone asks for.
    fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Any(Any::Any) => None,
        }
    }
}

impl From<u32> for Amount {
    fn from(count: u32) -> Self {
        Self::Number(count.into())
    }
}

/// The word `any`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Any {
    /// As much as anyone asks for.
    Any,
}

/// `validate`: a configuration that fits the schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validate {
    /// The configuration.
    pub config: BTreeMap<String, Literal>,
}

/// The answer to `validate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Validated {
    /// What is wrong; nothing if it is right.
    #[serde(default)]
    pub problems: Vec<Problem>,
    /// Whether steps run on other machines, which cannot read what this one hands over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_remote: bool,
    /// Whether a run is over when the orchestrator is done with it; else it is submitted.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub is_synchronous: bool,
}

fn yes() -> bool {
    true
}

impl Default for Validated {
    /// Returns what is said of a configuration that is right.
    fn default() -> Self {
        Self { problems: Vec::new(), is_remote: false, is_synchronous: true }
    }
}

impl Validated {
    /// Returns what is kept of it.
    pub fn claims(&self) -> Claims {
        Claims { is_remote: self.is_remote, is_synchronous: self.is_synchronous }
    }
}

/// Something wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// The key; absent if it is several together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What is wrong with it.
    pub message: String,
}

impl Problem {
    /// Returns what is wrong with one key.
    pub fn of(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: Some(field.into()), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.field {
            Some(field) => write!(f, "`{field}`: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}
