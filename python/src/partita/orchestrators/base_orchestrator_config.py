"""The configuration of an orchestrator."""

from __future__ import annotations

from partita.stack.stack_component_config import StackComponentConfig


class BaseOrchestratorConfig(StackComponentConfig):
    """The base of orchestrators' configurations.

    It is a pydantic model, whose validators run when a component is registered or updated.

    Example:
        >>> class QueueConfig(BaseOrchestratorConfig):
        ...     queue: str
        ...     nodes: int = 1
        >>> QueueConfig(queue="a100").nodes
        1
    """

    @property
    def is_remote(self) -> bool:
        """Whether steps run on another machine, where no secrets can be handed over."""
        return False

    @property
    def is_local(self) -> bool:
        """Whether steps run on this machine alone; information for people and validators."""
        return False

    @property
    def is_synchronous(self) -> bool:
        """Whether a run is over when `prepare_or_run_pipeline` returns; else it is submitted."""
        return True

    @property
    def is_schedulable(self) -> bool:
        """Whether it could start runs at given times; information alone, as no run is scheduled."""
        return False
