"""Finds the modules that fill or change an object of another module while they are imported.

`registry.add("a", Model(3))` in a module of its own is in no file that the registry's name leads
to. What such an object holds can't be compared, so the code that puts things into it counts.
"""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from .modules import SOURCE, SourceRoot
from .naming import is_class
from .scan import scan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType

    from .scan import Use

    Compiled = Callable[[ModuleType], "CodeType | None"]


def touching(held: Any, root: SourceRoot, compiled: Compiled) -> list[ModuleType]:
    """Returns the modules of the source root whose import runs code that names `held`.

    So does code that calls a function which names it; functions and classes are named by too many.
    """
    if isinstance(held, FunctionType) or is_class(held):
        return []
    return [
        module
        for module in _of_source(root)
        if _may_name(module, held) and _names(module, compiled(module), held)
    ]


def _of_source(root: SourceRoot) -> Iterator[ModuleType]:
    for _, module in sorted(sys.modules.items()):
        if type(module) is ModuleType and root.zone(module) == SOURCE:
            yield module


def _may_name(module: ModuleType, held: Any) -> bool:
    """Returns whether a global of `module` can lead to `held`: most can't, and are not compiled."""
    return any(_leads_to(value, held) for value in list(vars(module).values()))


def _leads_to(value: Any, held: Any) -> bool:
    if value is held:
        return True
    if isinstance(value, FunctionType):
        return _function_names(value, held)
    return type(value) is ModuleType and value.__name__ not in sys.stdlib_module_names


def _names(module: ModuleType, code: CodeType | None, held: Any) -> bool:
    if code is None:
        return False
    uses = (use for use in scan(code, executed_only=True).uses if not use.idle)
    found = (_resolved(use, vars(module)) for use in uses)
    return any(
        value is held or (isinstance(value, FunctionType) and _function_names(value, held))
        for value in found
    )


def _resolved(use: Use, space: dict[str, Any]) -> Any:
    """Returns what a use of a global leads to, through attributes of modules."""
    value = space.get(use.name)
    for name in use.attributes:
        if not isinstance(value, ModuleType):
            break
        value = vars(value).get(name)
    return value


def _function_names(function: FunctionType, held: Any) -> bool:
    """Returns whether the code of `function` names `held` among its globals."""
    space = function.__globals__
    names = [name for name, value in list(space.items()) if value is held]
    if not names:
        return False
    uses = scan(function.__code__).uses
    return any(use.name in names or _resolved(use, space) is held for use in uses)
