//! Cache keys: what a step's result depends on, and nothing else.

use std::collections::BTreeMap;

use crate::deployment::{Environment, Input, Source, Step};
use crate::digest::{Digest, FieldHasher};
use crate::literal::Literal;

/// The content of an input, as the key sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputContent {
    /// The artifact version's content digest.
    pub digest: Digest,
    /// The value's type, since two types can share an encoding.
    pub type_name: String,
    /// The digest of the author's code that the value brings along.
    pub code: Option<Digest>,
}

/// What a mapped step is called with in one of its items, as the key sees it.
#[derive(Debug, Clone, Copy)]
pub struct ItemInput<'a> {
    /// The input that the step is mapped over.
    pub name: &'a str,
    /// What it is in this item.
    pub value: ItemValue<'a>,
}

/// One item of a list, as the key sees it.
#[derive(Debug, Clone, Copy)]
pub enum ItemValue<'a> {
    /// The item stands by itself, so that its place in the list does not count.
    Alone(&'a Input),
    /// It is the element with this index of an artifact version, which counts as a whole.
    Element(u32),
}

/// Returns the part of a key that all invocations of one source share.
///
/// It covers what the step reaches in the source root, the distributions it reaches and the
/// environment it runs in; no names of steps, no times, no paths and no ids.
pub fn source_digest(source: &Source, environment: &Environment) -> Digest {
    let mut hasher = FieldHasher::default();
    hasher
        .field("interpreter", environment.interpreter.as_bytes())
        .field("platform", environment.platform.as_bytes());
    for (index, part) in source.parts.iter().enumerate() {
        // The first one is the step's own function, which may be given another name.
        let name = if index == 0 { "" } else { &part.name };
        hasher
            .field("part", name.as_bytes())
            .field("kind", part.kind.as_bytes())
            .field("digest", part.digest.to_string().as_bytes());
    }
    for (name, version) in &source.distributions {
        hasher.field("distribution", name.as_bytes()).field("version", version.as_bytes());
    }
    hasher.finish()
}

/// Returns the cache key of `step`, or of one `item` of it, whose code has `source_digest` and whose
/// inputs, by flattened name, have `inputs` as their contents.
///
/// An item that stands by itself has the key that the step has when it is called with it alone.
pub fn key(
    step: &Step,
    item: Option<ItemInput<'_>>,
    source_digest: Digest,
    inputs: &BTreeMap<String, InputContent>,
) -> Digest {
    let mut hasher = FieldHasher::default();
    hasher.field("source", source_digest.to_string().as_bytes());
    for (name, value) in parameters(step, item) {
        hasher.field("parameter", name.as_bytes()).field("value", value.text().as_bytes());
    }
    shapes(&mut hasher, step, item);
    for (name, content) in inputs {
        hasher
            .field("input", name.as_bytes())
            .field("type", content.type_name.as_bytes())
            .field("digest", content.digest.to_string().as_bytes());
        if let Some(code) = content.code {
            hasher.field("code", code.to_string().as_bytes());
        }
    }
    for output in &step.outputs {
        hasher
            .field("output", output.name.as_bytes())
            .field("type", output.type_name.as_deref().unwrap_or_default().as_bytes())
            .field("materializer", output.materializer.as_deref().unwrap_or_default().as_bytes());
    }
    if let Some(image) = &step.config.docker.parent_image {
        hasher.field("image", image.as_bytes());
    }
    if let Some(content) = step.config.docker.content() {
        hasher.field("image content", content.to_string().as_bytes());
    }
    if let Some(version) = &step.config.cache_version {
        hasher.field("version", version.as_bytes());
    }
    for (path, digest) in &step.config.cache_files {
        hasher.field("file", path.as_bytes()).field("digest", digest.to_string().as_bytes());
    }
    for (variable, digest) in &step.config.cache_environment {
        let text = digest.map(|digest| digest.to_string()).unwrap_or_default();
        hasher.field("variable", variable.as_bytes()).field("digest", text.as_bytes());
    }
    hasher.finish()
}

/// Returns the parameters, with an item that is a literal among them.
fn parameters<'a>(step: &'a Step, item: Option<ItemInput<'a>>) -> BTreeMap<&'a str, &'a Literal> {
    let mut parameters: BTreeMap<&str, &Literal> =
        step.parameters.iter().map(|(name, value)| (name.as_str(), value)).collect();
    if let Some(ItemInput { name, value: ItemValue::Alone(Input::Value(value)) }) = item {
        parameters.insert(name, value);
    }
    parameters
}

/// Adds the shape of each input; that of an item in place of its list's.
fn shapes(hasher: &mut FieldHasher, step: &Step, item: Option<ItemInput<'_>>) {
    for (name, input) in &step.inputs {
        let value = item.filter(|item| item.name == name).map(|item| item.value);
        let input = match value {
            // It is among the parameters.
            Some(ItemValue::Alone(Input::Value(_))) => continue,
            Some(ItemValue::Alone(input)) => input,
            Some(ItemValue::Element(index)) => {
                hasher.field("input shape", name.as_bytes()).field("element", &index.to_le_bytes());
                continue;
            }
            None => input,
        };
        hasher.field("input shape", name.as_bytes());
        shape(hasher, input);
    }
}

/// Adds how literals and artifacts are nested, without naming the steps they come from.
fn shape(hasher: &mut FieldHasher, input: &Input) {
    match input {
        Input::Value(literal) => {
            hasher.field("value", literal.text().as_bytes());
        }
        Input::Output(_) | Input::Artifact(_) => {
            hasher.field("artifact", b"");
        }
        Input::List(items) | Input::Tuple(items) => {
            let tag = if matches!(input, Input::List(_)) { "list" } else { "tuple" };
            hasher.field(tag, &items.len().to_le_bytes());
            items.iter().for_each(|item| shape(hasher, item));
        }
        Input::Dict(items) => {
            hasher.field("dict", &items.len().to_le_bytes());
            for (key, item) in items {
                hasher.field("key", key.as_bytes());
                shape(hasher, item);
            }
        }
    }
}
