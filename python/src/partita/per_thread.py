"""Finds what belongs to the running thread, or to the step that started it."""

from __future__ import annotations

from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    Entry = TypeVar("Entry")


def mine(entries: dict[int, Entry]) -> Entry | None:
    """Returns the entry of this thread; in a thread that a step started, the only one there is."""
    entry = entries.get(get_ident())
    if entry is None:
        others = list(entries.values())
        return others[0] if len(others) == 1 else None
    return entry


def replace(entries: dict[int, Entry], entry: Entry | None) -> Entry | None:
    """Makes `entry` that of this thread, or removes it; returns the one before it."""
    before = entries.pop(get_ident(), None)
    if entry is not None:
        entries[get_ident()] = entry
    return before
