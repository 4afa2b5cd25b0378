"""The flavor of an orchestrator."""

from __future__ import annotations

from partita.enums import StackComponentType
from partita.stack.flavor import Flavor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    from partita.config import BaseSettings
    from partita.orchestrators.base_orchestrator import BaseOrchestrator
    from partita.orchestrators.base_orchestrator_config import BaseOrchestratorConfig


class Supply:
    """What steps may ask of an orchestrator; a pipeline that asks for more is refused.

    Example:
        >>> Supply(gpus=2, memory="any").document()["gpus"]
        2
    """

    def __init__(
        self,
        *,
        max_parallelism: int | None = None,
        grace: float = 10,
        cpus: float | Literal["any"] = "any",
        memory: int | Literal["any"] = 0,
        gpus: int | Literal["any"] = 0,
    ) -> None:
        """Claims what an orchestrator keeps to.

        Args:
            max_parallelism: Steps at once; as many as are ready if it is not given.
            grace: Seconds that an attempt may take to end once it was cancelled.
            cpus: Cores that the steps share that run at once.
            memory: Bytes that they share. A step entrypoint keeps its process to what its step
                asks for; steps that run in the orchestrator's own process are kept to nothing.
            gpus: Graphics processors that they share.
        """
        self._document: dict[str, Any] = {
            "grace": grace,
            "cpus": cpus,
            "memory": memory,
            "gpus": gpus,
        }
        if max_parallelism is not None:
            self._document["max_parallelism"] = max_parallelism

    def document(self) -> dict[str, Any]:
        """Returns it as the plugin protocol says it."""
        return dict(self._document)


class BaseOrchestratorFlavor(Flavor):
    """The base of orchestrators' flavors.

    Example:
        >>> class QueueOrchestratorFlavor(BaseOrchestratorFlavor):
        ...     '''Runs steps in a queue.'''
        ...
        ...     name = "queue"
        ...
        ...     @property
        ...     def implementation_class(self):
        ...         from my_package.queue import QueueOrchestrator
        ...         return QueueOrchestrator
    """

    @property
    def type(self) -> StackComponentType:
        """The component type: an orchestrator."""
        return StackComponentType.ORCHESTRATOR

    @property
    def config_class(self) -> type[BaseOrchestratorConfig]:
        """The class of its components' configurations."""
        from partita.orchestrators.base_orchestrator_config import BaseOrchestratorConfig

        return BaseOrchestratorConfig

    @property
    def settings_class(self) -> type[BaseSettings] | None:
        """The class of its settings on pipelines and steps, if it takes any."""
        return None

    @property
    def supply(self) -> Supply:
        """What steps may ask of it."""
        return Supply()

    @property
    def implementation_class(self) -> type[BaseOrchestrator]:
        """The class that does the work; import it here and not above."""
        raise NotImplementedError(
            f"`{self.__class__.__qualname__}` has no `implementation_class`; return the class that "
            "extends `BaseOrchestrator`"
        )
