"""A configured instance of a flavor."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from partita.enums import StackComponentType
    from partita.stack.stack_component_config import StackComponentConfig as StackComponentConfig


def __getattr__(name: str) -> object:
    """Finds the base of configurations where the system of the seed has it: beside this one."""
    if name == "StackComponentConfig":
        from partita.stack.stack_component_config import StackComponentConfig

        return StackComponentConfig
    raise AttributeError(f"module `{__name__}` has no attribute `{name}`")


class StackComponent:
    """A component of a stack.

    Attributes:
        name: Its name.
        type: What it does.
        flavor: The name of the flavor that it is an instance of.
    """

    def __init__(self, *, name: str, type: StackComponentType, flavor: str, config: Any) -> None:
        self.name = name
        self.type = type
        self.flavor = flavor
        self._config = config

    @property
    def config(self) -> Any:
        """Its configuration: an instance of the flavor's configuration class, or a dict."""
        return self._config

    def __repr__(self) -> str:
        return f"<{self.type.value} {self.name}>"
