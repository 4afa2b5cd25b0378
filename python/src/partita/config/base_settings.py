"""Settings that a flavor has of its own, on pipelines and steps."""

from __future__ import annotations

from partita.stack.stack_component_config import StackComponentConfig


class BaseSettings(StackComponentConfig):
    """The base of a flavor's settings; like a configuration, a pydantic model.

    Example:
        >>> class QueueSettings(BaseSettings):
        ...     partition: str = "short"
        >>> settings = {"orchestrator": QueueSettings(partition="long")}
    """
