//! Resolves where a step's values come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use partita_core::artifact::ArtifactVersion;
use partita_core::deployment::Input;
use partita_core::literal::Literal;

use super::context::RunContext;
use crate::store::{Result, StoreError};

/// A value that a step takes from elsewhere, found but not loaded.
#[derive(Debug, Clone)]
pub enum InputValue {
    /// A literal that the pipeline was written with; text in it may refer to a secret.
    Literal(Literal),
    /// An artifact version.
    Artifact(Box<ArtifactVersion>),
    /// A list.
    List(Vec<InputValue>),
    /// A tuple.
    Tuple(Vec<InputValue>),
    /// A mapping.
    Dict(Vec<(String, InputValue)>),
    /// One element of an artifact version that is a list or an array.
    Element {
        /// The whole.
        list: Arc<ArtifactVersion>,
        /// The element's index.
        index: u32,
    },
}

/// Why a step's values cannot be found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// The artifact store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A step is mapped over something else than a list.
    #[error(
        "step `{step}` is mapped over its input `{input}`, which is of type `{found}` and no list whose items can be counted; make a list of it in a step"
    )]
    NotAList {
        /// The step.
        step: String,
        /// The input that it is mapped over.
        input: String,
        /// The type of what it got.
        found: String,
    },
    /// An item of a step that is not mapped.
    #[error("step `{step}` is not mapped, so it has no items")]
    NotMapped {
        /// The step.
        step: String,
    },
    /// An item that a mapped step does not have.
    #[error(
        "step `{step}` has no item {item}; its items are numbered from 0, and there are {count}"
    )]
    NoSuchItem {
        /// The step.
        step: String,
        /// The item.
        item: u32,
        /// How many there are.
        count: usize,
    },
    /// A bug in Partita.
    #[error("{0}; this is a bug in Partita")]
    Internal(String),
}

impl InputError {
    pub(super) fn internal(error: serde_json::Error) -> Self {
        Self::Internal(error.to_string())
    }
}

/// Finds the value of `input`.
pub(super) fn resolve(context: &RunContext, input: &Input) -> Result<InputValue> {
    let all =
        |items: &[Input]| items.iter().map(|item| resolve(context, item)).collect::<Result<_>>();
    Ok(match input {
        Input::Value(literal) => InputValue::Literal(literal.clone()),
        Input::Output(reference) => InputValue::Artifact(Box::new(context.output(reference)?)),
        Input::Artifact(version) => InputValue::Artifact(Box::new(version.clone())),
        Input::List(items) => InputValue::List(all(items)?),
        Input::Tuple(items) => InputValue::Tuple(all(items)?),
        Input::Dict(items) => InputValue::Dict(
            items
                .iter()
                .map(|(key, item)| Ok((key.clone(), resolve(context, item)?)))
                .collect::<Result<_>>()?,
        ),
    })
}

/// Calls `visit` with each artifact version in `inputs` and its flattened name.
pub(super) fn visit(
    inputs: &BTreeMap<String, InputValue>,
    visit: &mut impl FnMut(String, &ArtifactVersion),
) {
    for (name, value) in inputs {
        visit_value(name, value, visit);
    }
}

fn visit_value(name: &str, value: &InputValue, visit: &mut impl FnMut(String, &ArtifactVersion)) {
    match value {
        InputValue::Literal(_) => {}
        InputValue::Artifact(version) => visit(name.to_owned(), version),
        InputValue::Element { list, .. } => visit(name.to_owned(), list),
        InputValue::List(items) | InputValue::Tuple(items) => {
            for (index, item) in items.iter().enumerate() {
                visit_value(&format!("{name}[{index}]"), item, visit);
            }
        }
        InputValue::Dict(items) => {
            for (key, item) in items {
                visit_value(&format!("{name}[{key:?}]"), item, visit);
            }
        }
    }
}
