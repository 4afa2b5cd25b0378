"""The stack that a pipeline runs on, as an orchestrator sees it."""

from __future__ import annotations

from partita.enums import StackComponentType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from partita.stack.stack_component import StackComponent


class Stack:
    """A named set of components.

    Attributes:
        name: Its name.
        orchestrator: What runs the pipeline.
        artifact_store: What keeps it.
        artifact_store_uri: Where that is; step entrypoints are given it.
    """

    def __init__(
        self,
        name: str,
        *,
        orchestrator: StackComponent,
        artifact_store: StackComponent,
        artifact_store_uri: str,
    ) -> None:
        self.name = name
        self.orchestrator = orchestrator
        self.artifact_store = artifact_store
        self.artifact_store_uri = artifact_store_uri

    @property
    def components(self) -> dict[StackComponentType, StackComponent]:
        """The components by type."""
        return {
            StackComponentType.ORCHESTRATOR: self.orchestrator,
            StackComponentType.ARTIFACT_STORE: self.artifact_store,
        }
