//! The pipeline spec: what an SDK traces, before it is checked and compiled.
//!
//! It holds what the author wrote, with the place where it was written, and nothing resolved.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::deployment::{Environment, Hooks, Input, Output, Source};
use crate::diagnostic::{Diagnostic, Location};
use crate::literal::Literal;

/// A traced pipeline.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineSpec {
    /// The pipeline's name.
    pub name: String,
    /// Where it is defined: `module:qualname`.
    pub source: String,
    /// The file and line of its definition.
    #[serde(default)]
    pub location: Option<Location>,
    /// The values that it was called with, defaults included, and those that it does not take.
    #[serde(default)]
    pub parameters: BTreeMap<String, Literal>,
    /// What the SDK, which traces with them, finds wrong with these values; with any problem here
    /// the pipeline does not compile.
    #[serde(default)]
    pub parameter_problems: Vec<Diagnostic>,
    /// Its options as the author gave them, least important layer first: the decorator's, which is
    /// there even if it is empty, then one for each `with_options`.
    #[serde(default)]
    pub options: Vec<Layer>,
    /// Called when a run ends.
    #[serde(default)]
    pub hooks: Hooks,
    /// The place where the author's code was loaded.
    #[serde(default)]
    pub environment: Environment,
    /// The step functions that it uses, by source.
    pub sources: BTreeMap<String, Source>,
    /// The step definitions that it uses, by source.
    pub definitions: BTreeMap<String, StepDefinition>,
    /// The step invocations, in the order of tracing.
    pub steps: Vec<StepSpec>,
}

/// A step function as its author declared it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepDefinition {
    /// The step's name.
    pub name: String,
    /// The file and line of its definition.
    #[serde(default)]
    pub location: Option<Location>,
    /// Its inputs by name.
    pub inputs: BTreeMap<String, InputDefinition>,
    /// What it makes.
    pub outputs: Vec<Output>,
    /// Its options as the author gave them.
    #[serde(default)]
    pub options: Vec<Layer>,
    /// Called when it has ended.
    #[serde(default)]
    pub hooks: Hooks,
    /// Whether it takes inputs that are not listed (`**kwargs`).
    #[serde(default)]
    pub open: bool,
}

/// One declared input of a step.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputDefinition {
    /// The kinds of literal that its annotation accepts; absent if it accepts any.
    #[serde(default)]
    pub kinds: Option<Vec<String>>,
    /// The annotated type, `module.qualname`, for messages and checks between steps.
    #[serde(rename = "type", default)]
    pub type_name: Option<String>,
    /// Whether a value must be given.
    pub required: bool,
}

/// One use of a step.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepSpec {
    /// The invocation's name.
    pub name: String,
    /// Whether the author chose the name (`id=`), so that a clash is an error.
    #[serde(default)]
    pub named: bool,
    /// The key of its code and definition.
    pub source: String,
    /// The literal values it is called with.
    #[serde(default)]
    pub parameters: BTreeMap<String, Literal>,
    /// Its other values.
    #[serde(default)]
    pub inputs: BTreeMap<String, Input>,
    /// The input that is a list of which the step is called with each item on its own.
    #[serde(default)]
    pub map_over: Option<String>,
    /// Steps that must end before, besides those it takes values from.
    #[serde(default)]
    pub after: Vec<String>,
    /// Options of this invocation.
    #[serde(default)]
    pub options: Vec<Layer>,
    /// Where it is used.
    #[serde(default)]
    pub location: Option<Location>,
}

/// One layer of options: a tree of keys and values with the place of each.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The options.
    pub options: BTreeMap<String, Node>,
}

/// A value in a layer, with its place.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Where it is written.
    #[serde(default)]
    pub location: Option<Location>,
    /// What is written.
    pub value: NodeValue,
}

/// What a layer can say.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeValue {
    /// A single value or a list.
    Literal(Literal),
    /// Keys and values.
    Section(BTreeMap<String, Node>),
}
