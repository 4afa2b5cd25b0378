//! How stacks are shown.

use partita_core::stack::Stack;
use serde::Serialize;

use crate::commands::component::ComponentView;

/// A stack; the JSON of `stack list` and `stack describe`.
#[derive(Serialize)]
pub(super) struct StackView<'a> {
    pub(super) name: &'a str,
    /// Whether runs that name no stack use it here.
    pub(super) active: bool,
    pub(super) orchestrators: Vec<ComponentView<'a>>,
    pub(super) artifact_store: ComponentView<'a>,
}

impl<'a> StackView<'a> {
    pub(super) fn new(stack: &'a Stack, active: &str) -> Self {
        Self {
            name: &stack.name,
            active: stack.name == active,
            orchestrators: stack.orchestrators.iter().map(ComponentView::from).collect(),
            artifact_store: ComponentView::from(&stack.artifact_store),
        }
    }

    pub(super) fn orchestrator_names(&self) -> String {
        self.orchestrators.iter().map(|component| component.name).collect::<Vec<_>>().join(", ")
    }
}
