"""Finds the modules that fill or change an object of another module while they are imported.

`registry.add("a", Model(3))` in a module of its own is in no file that the registry's name leads
to. What such an object holds can't be compared, so the code that puts things into it counts.
"""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from .modules import SOURCE, SourceRoot
from .scan import scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType

    from .scan import Use

    Compiled = Callable[[ModuleType], "CodeType | None"]


def touching(held: Any, root: SourceRoot, compiled: Compiled) -> list[ModuleType]:
    """Returns the modules of the source root whose import runs code that names `held`.

    So does code that calls a function which names it. Functions are named by too many.
    """
    if isinstance(held, FunctionType):
        return []
    search = _Search(held, root)
    return [
        module
        for module in _of_source(root)
        if search.may_name(module) and search.names(vars(module), compiled(module))
    ]


def _of_source(root: SourceRoot) -> Iterator[ModuleType]:
    for _, module in sorted(sys.modules.items()):
        if type(module) is ModuleType and root.zone(module) == SOURCE:
            yield module


class _Search:
    """A search for code that names one object, itself or through functions that it calls."""

    def __init__(self, held: Any, root: SourceRoot) -> None:
        self.held = held
        self.root = root
        self._in_vain: set[FunctionType] = set()

    def may_name(self, module: ModuleType) -> bool:
        """Returns whether a global may lead to the object: in many modules none does."""
        values = list(vars(module).values())
        modules = (value for value in values if type(value) is ModuleType)
        return any(self.root.zone(value) == SOURCE for value in modules) or self._reaches(values)

    def names(self, space: dict[str, Any], code: CodeType | None) -> bool:
        """Returns whether what an import runs names the object, or calls what names it."""
        uses = scan(code, executed_only=True).uses if code is not None else ()
        return self._reaches([_resolved(use, space) for use in uses if not use.idle])

    def _reaches(self, values: list[Any]) -> bool:
        left, seen = values, set[FunctionType]()
        while left:
            value = left.pop()
            if value is self.held:
                return True
            if isinstance(value, FunctionType) and not (value in seen or value in self._in_vain):
                seen.add(value)
                left.extend(self._named_in(value))
        self._in_vain |= seen
        return False

    def _named_in(self, function: FunctionType) -> list[Any]:
        """Returns what a function of the author's names."""
        module = sys.modules.get(function.__globals__.get("__name__", ""))
        own = module is not None and self.root.zone(module) == SOURCE
        uses = scan(function.__code__).uses if own else ()
        return [_resolved(use, function.__globals__) for use in uses]


def _resolved(use: Use, space: dict[str, Any]) -> Any:
    """Returns what a use of a global leads to, through attributes of modules."""
    value = space.get(use.name)
    for name in use.attributes:
        if not isinstance(value, ModuleType):
            break
        value = vars(value).get(name)
    return value
