//! The pipeline deployment: pipeline, stack and settings compiled into one immutable document.
//!
//! It is all that an orchestrator ever gets. Its JSON Schema is `docs/reference/deployment.schema.json`.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::literal::Literal;
use crate::settings::{Docker, FailureMode, Resources, Retry, Span};
use crate::stack::Stack;

/// The version of the document that this code reads and writes.
pub const VERSION: u32 = 1;
/// Bytes that a document may have: 256 MiB.
pub const MAX_BYTES: usize = 256 * 1024 * 1024;
/// Lists and objects that may lie within one another in a document.
pub const MAX_DEPTH: usize = 127;

/// A compiled pipeline on one stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The document format's version; 1.
    pub version: u32,
    /// The content digest of everything below, shortened to 32 hexadecimal digits.
    pub id: String,
    /// What applies to the pipeline as a whole.
    pub pipeline: Pipeline,
    /// The stack it was compiled for.
    pub stack: Stack,
    /// What its steps' cache keys take from the place where they run.
    pub environment: Environment,
    /// The code of its steps, by source.
    pub sources: BTreeMap<String, Source>,
    /// The step invocations, in topological order.
    pub steps: Vec<Step>,
}

/// What applies to a pipeline as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// The pipeline's name.
    pub name: String,
    /// Where it is defined.
    pub source: String,
    /// The values that it was called with, defaults included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Literal>,
    /// What becomes of the run when a step has failed.
    #[serde(default)]
    pub failure_mode: FailureMode,
    /// What is called when a run ends.
    #[serde(default, skip_serializing_if = "Hooks::is_empty")]
    pub hooks: Hooks,
}

/// The place where steps run, as far as it can change their results.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// The interpreter and its minor version, such as `cpython-3.11`.
    pub interpreter: String,
    /// The platform's ABI, such as `x86_64-linux-gnu`.
    pub platform: String,
}

/// The code of a step: what it is called and what it reaches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The file it is defined in, relative to the source root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The program that the step is entered by; a step without one is entered by Python.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
    /// The command that is the step; a step without one calls a function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandLine>,
    /// Everything of the source root that it reaches, itself first.
    pub parts: Vec<SourcePart>,
    /// The third-party distributions that it reaches, with their versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub distributions: BTreeMap<String, String>,
    /// Where a whole file counts, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A command that is a step: it reads files and writes others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandLine {
    /// What is started.
    pub executable: Executable,
    /// The words that it is started with, each in parts.
    pub words: Vec<Vec<CommandPart>>,
    /// Whether a shell is started, and the words are `-c` and a script, which sees no more of what is
    /// inserted than its value.
    #[serde(default, skip_serializing_if = "is_default")]
    pub is_script: bool,
    /// The outputs whose files may be empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub may_be_empty: BTreeSet<String>,
}

impl CommandLine {
    /// Returns the parts of the script, if a shell runs one.
    pub fn script(&self) -> Option<&[CommandPart]> {
        self.words.get(1).filter(|_| self.is_script).map(Vec::as_slice)
    }
}

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommandPart {
    /// Text as it is.
    Text(String),
    /// The path of an input that is a file, or the text of any other.
    Input(String),
    /// The path of the file that is to be written for an output.
    Output(String),
}

impl std::fmt::Display for CommandPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "the text `{text}`"),
            Self::Input(name) => write!(f, "the input `{name}`"),
            Self::Output(name) => write!(f, "the output `{name}`"),
        }
    }
}

/// What a command starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Executable {
    /// Its absolute path where the deployment was compiled; in an image, what its author calls it.
    pub path: String,
    /// What its author calls it: a name in a folder of `PATH`, or a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The digest of its content; another one is refused. There is none where it was not found, or
    /// is that of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// An executable that runs steps of its own, as `PATH entrypoint …`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Its absolute path where the deployment was compiled.
    pub path: String,
    /// The digest of its content; another one is refused.
    pub digest: Digest,
}

/// One function, class, constant or file that a step reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SourcePart {
    /// Its name: `module.qualname`, or a path.
    pub name: String,
    /// `function`, `class`, `constant`, `module`, `file`, `closure`, `program`, `command` or
    /// `executable`.
    pub kind: String,
    /// The digest of its meaning.
    pub digest: Digest,
}

/// One use of a step in the pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The invocation's name, unique in the pipeline.
    pub name: String,
    /// The key of its code in `sources`: `module:qualname`.
    pub source: String,
    /// The literal values it is called with, defaults included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Literal>,
    /// Where its other values come from.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Input>,
    /// The input that is a list of which the step is called with each item on its own; the step is
    /// *mapped*, and each of its outputs is the list of what the items made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map_over: Option<String>,
    /// The steps that end before it begins, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstream_steps: Vec<String>,
    /// What it makes, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Output>,
    /// How it runs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub config: StepConfig,
}

/// Where a step's value comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// A literal inside a list or a mapping of inputs.
    Value(Literal),
    /// An output of another step.
    Output(OutputReference),
    /// An artifact version that is in the artifact store already.
    Artifact(crate::artifact::ArtifactVersion),
    /// A list of inputs.
    List(Vec<Input>),
    /// A tuple of inputs.
    Tuple(Vec<Input>),
    /// A mapping of inputs.
    Dict(IndexMap<String, Input>),
}

/// An output of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutputReference {
    /// The step invocation.
    pub step: String,
    /// The name of its output.
    pub output: String,
}

/// A declared output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// The declared type, `module.qualname`; absent if the author declared none.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_name: Option<String>,
    /// The materializer that the author chose, `module.qualname`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub materializer: Option<String>,
}

/// How a step runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StepConfig {
    /// Whether an earlier result with the same key is taken.
    #[serde(skip_serializing_if = "is_true")]
    pub enable_cache: bool,
    /// The author's own key material.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_version: Option<String>,
    /// The digests of files that the author lists as key material, by path.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub cache_files: BTreeMap<String, Digest>,
    /// The digests of values of environment variables that the author lists as key material.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub cache_environment: BTreeMap<String, Option<Digest>>,
    /// The age at which an earlier result is no longer taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_expiry: Option<Span>,
    /// How a failed attempt is retried.
    #[serde(skip_serializing_if = "Retry::is_never")]
    pub retry: Retry,
    /// The longest time that an attempt may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// The orchestrator that runs it, if that is not the stack's default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orchestrator: Option<String>,
    /// What it needs of a machine.
    #[serde(skip_serializing_if = "is_default")]
    pub resources: Resources,
    /// The image that it runs in.
    #[serde(skip_serializing_if = "is_default")]
    pub docker: Docker,
    /// The settings of its orchestrator's flavor.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, Literal>,
    /// Named limits, each with the number of steps under it that may run at once, in all runs of a
    /// home together.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, u32>,
    /// What is called when it has ended.
    #[serde(skip_serializing_if = "Hooks::is_empty")]
    pub hooks: Hooks,
}

impl Default for StepConfig {
    fn default() -> Self {
        Self {
            enable_cache: true,
            cache_version: None,
            cache_files: BTreeMap::new(),
            cache_environment: BTreeMap::new(),
            cache_expiry: None,
            retry: Retry::default(),
            timeout: None,
            orchestrator: None,
            resources: Resources::default(),
            docker: Docker::default(),
            settings: BTreeMap::new(),
            limits: BTreeMap::new(),
            hooks: Hooks::default(),
        }
    }
}

/// Functions that are called when something has ended, as `module:qualname`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hooks {
    /// Called after outputs are safely stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_success: Option<String>,
    /// Called after the last failed attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<String>,
}

impl Hooks {
    /// Returns whether there is nothing to call.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Input {
    /// Calls `visit` with each output of another step that this input takes.
    pub fn visit_outputs<'a>(&'a self, visit: &mut impl FnMut(&'a OutputReference)) {
        match self {
            Self::Value(_) | Self::Artifact(_) => {}
            Self::Output(reference) => visit(reference),
            Self::List(items) | Self::Tuple(items) => {
                items.iter().for_each(|item| item.visit_outputs(visit));
            }
            Self::Dict(items) => items.values().for_each(|item| item.visit_outputs(visit)),
        }
    }
}

/// Why bytes are not a deployment that this code can use.
#[derive(Debug, thiserror::Error)]
pub enum InvalidDeployment {
    /// More than [`MAX_BYTES`].
    #[error("it has {0} bytes; a deployment has at most {MAX_BYTES}")]
    TooLarge(usize),
    /// More than [`MAX_DEPTH`] levels.
    #[error("its lists and objects lie {0} deep; a deployment has at most {MAX_DEPTH} levels")]
    TooDeep(usize),
    /// Not the JSON of a deployment.
    #[error("it is damaged or not a deployment: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Another version than [`VERSION`].
    #[error(
        "it has version {0}, and this Partita reads version {VERSION}; update Partita, or compile the pipeline again"
    )]
    UnknownVersion(u64),
    /// An id that its content does not have.
    #[error(
        "its id is `{written}`, but its content has id `{computed}`: it was changed after it was compiled; compile the pipeline again"
    )]
    WrongId {
        /// The id in the document.
        written: String,
        /// The id of its content.
        computed: String,
    },
}

/// What every version of the document has.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

impl Deployment {
    /// Returns the program that a step is entered by, if it is not entered by Python.
    pub fn program_of(&self, step: &Step) -> Option<&Program> {
        self.sources.get(&step.source)?.program.as_ref()
    }

    /// Returns the command that a step is, if it is one.
    pub fn command_of(&self, step: &Step) -> Option<&CommandLine> {
        self.sources.get(&step.source)?.command.as_ref()
    }

    /// Returns whether a step is a command that any entrypoint can run, since nothing of an author's is
    /// called for it.
    pub fn is_mere_command(&self, step: &Step) -> bool {
        let is_command = self.command_of(step).is_some() && self.program_of(step).is_none();
        is_command && step.config.hooks.is_empty()
    }

    /// Returns the steps that the orchestrator with this name runs.
    pub fn steps_on<'d>(&'d self, orchestrator: &'d str) -> impl Iterator<Item = &'d Step> {
        self.steps.iter().filter(move |step| {
            let named = self.stack.orchestrator_named(step.config.orchestrator.as_deref());
            named.is_some_and(|named| named.name == orchestrator)
        })
    }

    /// Reads a document and checks that its content is the one it was compiled with.
    ///
    /// # Errors
    /// What makes it unusable; the caller knows where it lies.
    pub fn read(bytes: &[u8]) -> Result<Self, InvalidDeployment> {
        if bytes.len() > MAX_BYTES {
            return Err(InvalidDeployment::TooLarge(bytes.len()));
        }
        // Literals are kept as text, which the parser does not look into.
        let depth = nesting(bytes);
        if depth > MAX_DEPTH {
            return Err(InvalidDeployment::TooDeep(depth));
        }
        let Versioned { version } = serde_json::from_slice(bytes)?;
        if version != u64::from(VERSION) {
            return Err(InvalidDeployment::UnknownVersion(version));
        }
        let deployment: Self = serde_json::from_slice(bytes)?;
        let computed = deployment.content_id()?;
        if computed == deployment.id {
            return Ok(deployment);
        }
        let written = deployment.id.chars().take(80).collect();
        Err(InvalidDeployment::WrongId { written, computed })
    }

    /// Returns the id that this content must have.
    ///
    /// # Errors
    /// If a value cannot be written as JSON, which no deployment read from JSON has.
    pub fn content_id(&self) -> Result<String, serde_json::Error> {
        let Self { version, id: _, pipeline, stack, environment, sources, steps } = self;
        let content = (version, pipeline, stack, environment, sources, steps);
        Ok(Digest::of(&serde_json::to_vec(&content)?).short())
    }
}

/// Returns how deep lists and objects lie within one another in JSON text.
pub fn nesting(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn is_true(value: &bool) -> bool {
    *value
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
