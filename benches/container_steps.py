"""The step of `partita_containers.py`; what a module imports, each step in a container pays."""

from __future__ import annotations

from partita import step


@step
def increment(number: int) -> int:
    """Adds one."""
    return number + 1
