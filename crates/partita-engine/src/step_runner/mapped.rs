//! Mapped steps: their items, found once for all of them, and the list of what those made.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use partita_core::artifact::{ArtifactVersion, INLINE_FILE, LIST_FORMAT, list_digest};
use partita_core::cache::ItemValue;
use partita_core::deployment::Input;
use partita_core::launcher::{Attempt, Unit};
use partita_core::literal::{Kind, Literal};
use partita_core::run::{StepResult, VERSION};
use partita_core::secret;
use partita_core::status::StepStatus;

use super::artifacts::{artifact_name, load_folder, publish};
use super::commit::references;
use super::inputs::{InputError, InputValue, resolve};
use super::{Committed, Content, INLINE_LIMIT, NewOutput, RunContext};
use crate::clock;
use crate::store::{StoreError, encode, layout};

/// The format of values that are JSON text, whose items need nobody's materializer.
const JSON: &str = "json";
/// The type of what a mapped step makes.
const LIST_TYPE: &str = "builtins.list";

/// The items of a mapped step, found once its upstream steps are done.
#[derive(Debug)]
pub(super) struct Expansion {
    items: Vec<Item>,
}

/// One item of the list that a step is mapped over.
#[derive(Debug, Clone)]
pub(super) enum Item {
    /// It stands by itself.
    Alone(Arc<Input>),
    /// It is inside a value that only the step's language can load.
    Element { list: Arc<ArtifactVersion>, index: u32 },
}

impl Item {
    fn alone(input: Input) -> Self {
        Self::Alone(Arc::new(input))
    }

    /// Returns the item as its step's cache key sees it.
    pub(super) fn in_key(&self) -> ItemValue<'_> {
        match self {
            Self::Alone(input) => ItemValue::Alone(input),
            Self::Element { index, .. } => ItemValue::Element(*index),
        }
    }

    pub(super) fn value(&self, context: &RunContext) -> Result<InputValue, StoreError> {
        match self {
            Self::Alone(input) => resolve(context, input),
            Self::Element { list, index } => {
                Ok(InputValue::Element { list: Arc::clone(list), index: *index })
            }
        }
    }
}

impl Expansion {
    /// Finds the items of a mapped step.
    pub(super) fn of(context: &RunContext, step: usize) -> Result<Self, InputError> {
        let step = &context.deployment.steps[step];
        let missing = || InputError::NotMapped { step: step.name.clone() };
        let name = step.map_over.as_ref().ok_or_else(missing)?;
        let input = step.inputs.get(name).ok_or_else(missing)?;
        let not_a_list = |found: String| InputError::NotAList {
            step: step.name.clone(),
            input: name.clone(),
            found,
        };
        let items = match input {
            Input::List(items) | Input::Tuple(items) => {
                items.iter().cloned().map(Item::alone).collect()
            }
            Input::Value(literal) => {
                literals(literal).ok_or_else(|| not_a_list(literal.kind().name().to_owned()))?
            }
            Input::Output(reference) => {
                items_of(context, context.output(reference)?)?.map_err(not_a_list)?
            }
            Input::Artifact(version) => items_of(context, version.clone())?.map_err(not_a_list)?,
            Input::Dict(_) => return Err(not_a_list(Kind::Dict.name().to_owned())),
        };
        Ok(Self { items })
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn get(&self, item: u32) -> Option<&Item> {
        self.items.get(item as usize)
    }
}

fn literals(list: &Literal) -> Option<Vec<Item>> {
    let items = list.items()?;
    Some(items.into_iter().map(|item| Item::alone(Input::Value(item))).collect())
}

/// Returns the items of an artifact version, or what it is instead of a list.
fn items_of(
    context: &RunContext,
    version: ArtifactVersion,
) -> Result<Result<Vec<Item>, String>, InputError> {
    if let Some(items) = &version.items {
        return Ok(Ok(items
            .iter()
            .map(|item| Item::alone(Input::Artifact(item.clone())))
            .collect()));
    }
    let value = match &version.value {
        Some(value) => Some(value.clone()),
        None if version.format == JSON => Some(stored_literal(context, &version)?),
        None => None,
    };
    if let Some(value) = value {
        let Some(items) = literals(&value) else { return Ok(Err(value.kind().name().to_owned())) };
        // What a step made may look like a reference to a secret, and is none.
        let is_plain = secret::references(&value).is_empty();
        return Ok(Ok(if is_plain { items } else { elements(version, items.len()) }));
    }
    let name = version.type_name.strip_prefix("builtins.").unwrap_or(&version.type_name).to_owned();
    if ["dict", "set", "frozenset", "str", "bytes"].contains(&name.as_str()) {
        return Ok(Err(name));
    }
    let Some(length) = length(&version) else { return Ok(Err(name)) };
    Ok(Ok(elements(version, length as usize)))
}

fn elements(list: ArtifactVersion, length: usize) -> Vec<Item> {
    let list = Arc::new(list);
    (0_u32..).take(length).map(|index| Item::Element { list: Arc::clone(&list), index }).collect()
}

fn stored_literal(context: &RunContext, version: &ArtifactVersion) -> Result<Literal, StoreError> {
    let folder = load_folder(&*context.store, version)?;
    let corrupt = || StoreError::Corrupt {
        path: format!("{}/{INLINE_FILE}", layout::artifact(version)),
        uri: context.store.uri().to_owned(),
    };
    let text = fs::read_to_string(folder.join(INLINE_FILE)).map_err(|_| corrupt())?;
    Literal::parse(&text).map_err(|_| corrupt())
}

/// Returns how many elements a value has, as its materializer noted: its `length`, or the first
/// number of its `shape`.
fn length(version: &ArtifactVersion) -> Option<u32> {
    let shape = || version.metadata.get("shape")?.items()?.into_iter().next();
    let length = version.metadata.get("length").cloned().or_else(shape)?;
    length.text().parse().ok()
}

/// Where what a mapped step made goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gathered {
    /// Into the artifact store.
    Stored,
    /// Into the result alone, whatever its size: for a look at what a run would do.
    Imagined,
}

/// Returns the result of a mapped step, given those of all its items, in order.
pub(crate) fn gathered(
    context: &RunContext,
    step: usize,
    items: &[Committed],
    to: Gathered,
) -> Result<StepResult, InputError> {
    let attempt = attempt(context, step);
    let outputs = &attempt.step().outputs;
    let made = outputs.iter().map(|output| {
        let made = list(context, &attempt, &output.name, items, to)?;
        Ok((output.name.clone(), made))
    });
    let is_cached = |item: &Committed| item.status == StepStatus::Cached;
    let all_cached = !items.is_empty() && items.iter().all(is_cached);
    let now = clock::now();
    Ok(StepResult {
        version: VERSION,
        run_id: context.run_id.to_string(),
        step: attempt.step().name.clone(),
        item: None,
        attempt: 0,
        status: if all_cached { StepStatus::Cached } else { StepStatus::Completed },
        started_at: items.iter().map(|item| item.started_at).min().unwrap_or(now),
        ended_at: now,
        inputs: references(&context.inputs(step)?),
        outputs: made.collect::<Result<_, InputError>>()?,
        cache_key: None,
        cache_reason: all_cached.then(|| "all of its items are cached".to_owned()),
        cached_from: None,
        error: None,
        metadata: BTreeMap::new(),
    })
}

/// Commits a mapped step all of whose items are committed. Returns the commit that stands.
pub(crate) fn gather(context: &RunContext, step: usize) -> Result<Committed, InputError> {
    if let Some(there) = context.committed(step)? {
        return Ok(there);
    }
    let count = context.expansion(step)?.len();
    let name = &context.deployment.steps[step].name;
    let missing = |path| StoreError::NotFound { path, uri: context.store.uri().to_owned() };
    let mut items = Vec::with_capacity(count);
    for item in 0..count as u32 {
        let unit = Unit::item(step, item);
        let commit = context.committed(unit)?;
        items.push(commit.ok_or_else(|| missing(layout::commit(&context.run_id, unit, name)))?);
    }
    let result = Arc::new(gathered(context, step, &items, Gathered::Stored)?);
    let path = layout::commit(&context.run_id, step, name);
    context.forget_items(step);
    if context.store.create(&path, encode(&*context.store, &path, &*result)?.into())? {
        context.remember(step, Arc::clone(&result));
        return Ok(result);
    }
    for version in result.outputs.values().filter(|version| version.items.is_none()) {
        if version.value.is_none() {
            context.store.delete(&layout::artifact(version))?;
        }
    }
    Ok(context.committed(step)?.ok_or_else(|| missing(path))?)
}

fn attempt(context: &RunContext, step: usize) -> Attempt {
    Attempt {
        deployment: Arc::clone(&context.deployment),
        run_id: Arc::clone(&context.run_id),
        step,
        item: None,
        number: 0,
        cache_reason: None,
        is_last: true,
    }
}

/// Returns what the items made of one output.
fn versions_of<'a>(
    context: &RunContext,
    step: usize,
    output: &str,
    items: &'a [Committed],
) -> Result<Vec<&'a ArtifactVersion>, StoreError> {
    let missing = |item: &Committed| {
        let unit = Unit { step, item: item.item };
        let commit = layout::commit(&context.run_id, unit, &item.step);
        StoreError::NotFound {
            path: format!("{commit} (output `{output}`)"),
            uri: context.store.uri().to_owned(),
        }
    };
    items.iter().map(|item| item.outputs.get(output).ok_or_else(|| missing(item))).collect()
}

/// Returns the list of what the items made of one output: a plain value if all of them are, else a
/// version that lists theirs.
fn list(
    context: &RunContext,
    attempt: &Attempt,
    output: &str,
    items: &[Committed],
    to: Gathered,
) -> Result<ArtifactVersion, InputError> {
    let versions = versions_of(context, attempt.step, output, items)?;
    let length = Literal::parse(&items.len().to_string()).map_err(InputError::internal)?;
    let metadata = BTreeMap::from([("length".to_owned(), length)]);
    let values: Option<Vec<&Literal>> = versions.iter().copied().map(plain).collect();
    if let Some(values) = values {
        let value = Literal::list(values.into_iter()).map_err(InputError::internal)?;
        let output = NewOutput {
            name: output.to_owned(),
            type_name: LIST_TYPE.to_owned(),
            format: JSON.to_owned(),
            code: None,
            metadata,
            content: content(context, attempt, output, value, to)?,
        };
        return Ok(publish(context, attempt, output)?);
    }
    let bare = |version: &ArtifactVersion| ArtifactVersion {
        metadata: BTreeMap::new(),
        ..version.clone()
    };
    let items: Vec<ArtifactVersion> = versions.into_iter().map(bare).collect();
    Ok(ArtifactVersion {
        artifact: artifact_name(attempt, output),
        id: clock::new_id(),
        type_name: LIST_TYPE.to_owned(),
        format: LIST_FORMAT.to_owned(),
        digest: list_digest(&items),
        code: None,
        size: items.iter().map(|item| item.size).sum(),
        value: None,
        items: Some(Arc::new(items)),
        metadata,
    })
}

/// Returns the value of a version that is plain and lives in its document.
fn plain(version: &ArtifactVersion) -> Option<&Literal> {
    let is_plain = version.format == JSON && version.code.is_none();
    version.value.as_ref().filter(|_| is_plain)
}

/// Returns a plain value as a document holds it, or in a file if it is too large for that.
fn content(
    context: &RunContext,
    attempt: &Attempt,
    output: &str,
    value: Literal,
    to: Gathered,
) -> Result<Content, StoreError> {
    if to == Gathered::Imagined || value.text().len() <= INLINE_LIMIT {
        return Ok(Content::Inline(value));
    }
    let artifact = artifact_name(attempt, output);
    let staging = context
        .store
        .staging(&layout::artifact_folder(&artifact, &clock::new_id()), &context.run_id)?;
    fs::write(staging.folder().join(INLINE_FILE), value.text()).map_err(|error| {
        StoreError::Failed {
            path: staging.path().to_owned(),
            uri: context.store.uri().to_owned(),
            reason: error.to_string(),
            help: String::new(),
        }
    })?;
    Ok(Content::Files(staging))
}
