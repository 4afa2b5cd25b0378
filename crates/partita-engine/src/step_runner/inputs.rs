//! Resolves where a step's values come from.

use std::collections::BTreeMap;

use partita_core::artifact::ArtifactVersion;
use partita_core::deployment::Input;
use partita_core::literal::Literal;

use super::context::RunContext;
use crate::store::Result;

/// A value that a step takes from elsewhere, found but not loaded.
#[derive(Debug, Clone)]
pub enum InputValue {
    /// A literal inside a list or a mapping.
    Literal(Literal),
    /// An artifact version.
    Artifact(Box<ArtifactVersion>),
    /// A list.
    List(Vec<InputValue>),
    /// A tuple.
    Tuple(Vec<InputValue>),
    /// A mapping.
    Dict(Vec<(String, InputValue)>),
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
