"""Scenarios: what every orchestrator has to do right, one thing each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from partita.conformance.place import Place


class Scenario(NamedTuple):
    """One thing to see.

    Attributes:
        name: What it is called.
        says: What is true of an orchestrator that passes.
        check: Sees whether it is; raises `Unexpected` or `NotClaimed`.
    """

    name: str
    says: str
    check: Callable[[Place], None]


class Unexpected(Exception):
    """The orchestrator did something else.

    Attributes:
        expected: What it should have done.
        seen: What it did.
        mend: Where to look.
    """

    def __init__(self, expected: str, seen: str, mend: str) -> None:
        super().__init__(f"expected {expected}, and saw {seen}")
        self.expected = expected
        self.seen = seen
        self.mend = mend


class NotClaimed(Exception):
    """The orchestrator says that it cannot do this, and refuses it before anything runs."""


#: All scenarios by name, in the order in which they are played.
SCENARIOS: dict[str, Scenario] = {}


def scenario(check: Callable[[Place], None]) -> Callable[[Place], None]:
    """Makes a scenario of a function: its name with dashes, and its docstring."""
    name = check.__name__.replace("_", "-")
    says = (check.__doc__ or "").strip().rstrip(".")
    SCENARIOS[name] = Scenario(name, says, check)
    return check


def expect(what: str, expected: object, seen: object, mend: str) -> None:
    """Compares what was seen.

    Raises:
        Unexpected: It is something else.
    """
    if expected != seen:
        raise Unexpected(f"{what}: {_brief(expected)}", _brief(seen), mend)


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:140]} … {text[-140:]}"
