"""Stacks and what they are made of, as custom flavors see them."""

from __future__ import annotations

from partita.stack.flavor import Flavor
from partita.stack.stack import Stack
from partita.stack.stack_component import StackComponent
from partita.stack.stack_validator import StackValidator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from partita.stack.stack_component_config import StackComponentConfig

__all__ = ["Flavor", "Stack", "StackComponent", "StackComponentConfig", "StackValidator"]


def __getattr__(name: str) -> object:
    """Imports what needs pydantic when it is asked for."""
    if name == "StackComponentConfig":
        from partita.stack.stack_component_config import StackComponentConfig

        return StackComponentConfig
    raise AttributeError(f"module `partita.stack` has no attribute `{name}`")
