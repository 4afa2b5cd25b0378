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
    /// Absent where the engine makes images by itself.
    pub(super) image_builder: Option<ComponentView<'a>>,
    /// Absent where images stay in the engine.
    pub(super) container_registry: Option<ComponentView<'a>>,
}

impl<'a> StackView<'a> {
    pub(super) fn new(stack: &'a Stack, active: &str) -> Self {
        Self {
            name: &stack.name,
            active: stack.name == active,
            orchestrators: stack.orchestrators.iter().map(ComponentView::from).collect(),
            artifact_store: ComponentView::from(&stack.artifact_store),
            image_builder: stack.image_builder.as_ref().map(ComponentView::from),
            container_registry: stack.container_registry.as_ref().map(ComponentView::from),
        }
    }

    /// Returns all components, the orchestrators first.
    pub(super) fn components(&self) -> impl Iterator<Item = &ComponentView<'a>> {
        let optional = self.image_builder.iter().chain(&self.container_registry);
        self.orchestrators.iter().chain([&self.artifact_store]).chain(optional)
    }

    pub(super) fn orchestrator_names(&self) -> String {
        self.orchestrators.iter().map(|component| component.name).collect::<Vec<_>>().join(", ")
    }
}
