"""The flavor of an orchestrator."""

from __future__ import annotations

import math

from partita.enums import StackComponentType
from partita.stack.flavor import Flavor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal, TypeGuard

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
        images: bool | None = None,
        delegates: bool | None = None,
        continues: bool = False,
    ) -> None:
        """Claims what an orchestrator keeps to.

        Args:
            max_parallelism: Steps at once; as many as are ready if it is not given.
            grace: Seconds that an attempt may take to end once it was cancelled; a day at most.
            cpus: Cores that the steps share that run at once.
            memory: Bytes that they share. A step entrypoint keeps its process to what its step
                asks for; steps that run in the orchestrator's own process are kept to nothing.
            gpus: Graphics processors that they share.
            images: Whether steps run in the images that they ask for with `DockerSettings`. If it
                is not given, they do if the code of the orchestrator names `get_image`.
            delegates: Whether it goes through whole pipelines by itself, and starts the entrypoints
                of their steps or has them started. No engine drives then: limits, and steps on
                other orchestrators, are refused. If it is not given, it does if its code calls for
                the words of an entrypoint in `prepare_or_run_pipeline` and for `run_step` nowhere.
            continues: Whether one that delegates goes on with what does not depend on a step that
                failed, where a pipeline asks for `continue_on_failure`.

        Raises:
            ValueError: An amount is infinite, or no number.
        """
        for name, amount in {"grace": grace, "cpus": cpus, "memory": memory, "gpus": gpus}.items():
            if isinstance(amount, float) and not math.isfinite(amount):
                raise ValueError(f"`{name}` is `{amount}`, and must be a number that ends")
        self._document: dict[str, Any] = {
            "grace": grace,
            "cpus": cpus,
            "memory": memory,
            "gpus": gpus,
        }
        #: Whether it was said that steps run in images.
        self.images = images
        if images is not None:
            self._document["images"] = images
        #: Whether it was said that it starts entrypoints, or that it does not.
        self.delegates = delegates
        if delegates:
            self._document["delegates"] = "throughout" if continues else "yes"
        if max_parallelism is not None:
            self._document["max_parallelism"] = max_parallelism

    def document(self) -> dict[str, Any]:
        """Returns it as the plugin protocol says it."""
        return dict(self._document)


def _is_own(kind: type, base: type[BaseSettings]) -> TypeGuard[type[BaseSettings]]:
    return issubclass(kind, base) and kind is not base


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
        """The class of its settings on pipelines and steps, if it takes any.

        It is the one that the configuration class extends, if that extends one.
        """
        from partita.config import BaseSettings

        bases = self.config_class.__mro__[1:]
        return next((base for base in bases if _is_own(base, BaseSettings)), None)

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
