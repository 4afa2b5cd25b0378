"""The author's code that hangs on a value: a step that takes the value may run it unnamed.

`def use(model): return model.score()` names no class, and what is stored of a model does not change
with the code of `score`. So a value is stored with the digest of the code of its classes, and that
is in the keys of the steps that take it.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections import deque
from itertools import chain, islice
from types import FunctionType, MemberDescriptorType, MethodType
from typing import TYPE_CHECKING, Any

from . import fingerprint, root_at
from .digest import digest
from .framing import frame, text
from .modules import SOURCE
from .naming import type_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Values that are looked at, and items of one collection; a collection that is larger than that is
#: taken to hold more of the same.
_LIMIT = 1000
#: Values that hold no others.
_PLAIN = frozenset((bool, int, float, str, bytes, type(None)))


def code_of(value: Any, source_root: str) -> str | None:
    """Returns the digest of the author's code that a value brings along, or `None` without any.

    Args:
        value: The value; its items and attributes are looked at too.
        source_root: The directory of the author's code.
    """
    found = _authors(value, source_root)
    if not found:
        return None
    frames = [_described(one, source_root) for one in found]
    return digest(frame("code of a value", *sorted(frames)))


def _described(one: Any, source_root: str) -> bytes:
    known = fingerprint(one, source_root=source_root)
    parts = [frame("part", text(part["name"]), text(part["digest"])) for part in known["parts"]]
    versions = [
        frame("distribution", text(name), text(version))
        for name, version in known["distributions"].items()
    ]
    return frame("held", *parts, *versions)


def _authors(value: Any, source_root: str) -> list[Any]:
    """Returns the classes and functions of the source root that a value is made of."""
    root = root_at(source_root)
    found: dict[int, Any] = {}
    # What is held is kept, so that its id can't be given to another object meanwhile.
    left, later, seen = [value], list[Any](), {id(value): value}
    kinds = {type_of(value)}
    for _ in range(_LIMIT):
        if not left and not later:
            break
        one = left.pop() if left else later.pop()
        code: Any = one if isinstance(one, (FunctionType, type)) else type_of(one)
        module = sys.modules.get(code.__module__ or "")
        if module is not None and root.zone(module) == SOURCE:
            found[id(code)] = code
        for item in islice(_inside(one), _LIMIT):
            if id(item) in seen or type_of(item) in _PLAIN:
                continue
            seen[id(item)] = item
            # Objects of a class that is known may hold others, but those of another come first.
            (later if type_of(item) in kinds else left).append(item)
            kinds.add(type_of(item))
    return list(found.values())


def _inside(one: Any) -> Iterable[Any]:
    """Returns what a value holds: its items, and its attributes."""
    held: Any = one
    if isinstance(one, (type, FunctionType)):
        return ()
    if isinstance(one, MethodType):
        return (one.__self__, one.__func__)
    if isinstance(one, functools.partial):
        return chain((held.func,), held.args, held.keywords.values())
    attributes = list(_attributes(one))
    if isinstance(one, dict):
        # A `defaultdict` runs its factory for a key that is not there.
        factory = getattr(held, "default_factory", None)
        return chain((factory,), held.keys(), held.values(), attributes)
    if isinstance(one, (list, tuple, set, frozenset, deque)):
        return chain(held, attributes)
    return attributes


def _attributes(one: Any) -> Iterator[Any]:
    """Yields the attributes of an object, be they slots or not."""
    yield from (getattr(one, "__dict__", None) or {}).values()
    for kind in type_of(one).__mro__:
        for slot in vars(kind).values() if "__slots__" in vars(kind) else ():
            if isinstance(slot, MemberDescriptorType):
                with contextlib.suppress(AttributeError):
                    yield slot.__get__(one)
