"""Gives functions and classes the names that people know them by, and tells when a name is a home.

An object is *at home* under a name if looking that name up gives the object back. Such an object is
referred to by name and fingerprinted once; any other one (a closure, a lambda, what a decorator
hides) is fingerprinted where it is found.
"""

from __future__ import annotations

import sys
from types import FunctionType, GenericAlias
from typing import Any, TypeGuard

_STEP = "__partita_step__"


def type_of(value: Any) -> type[Any]:
    """Returns the class of `value`, whatever that is."""
    held: object = value
    return type(held)


def is_class(value: Any) -> TypeGuard[type[Any]]:
    """Returns whether `value` is a class (`list[int]` pretends to be one in Python 3.10)."""
    return isinstance(value, type) and type_of(value) is not GenericAlias


def undescribed(value: Any) -> Any:
    """Returns the function of a static or class method; anything else as it is."""
    held: Any = value
    return held.__func__ if isinstance(value, (staticmethod, classmethod)) else held


def unwrap_step(value: Any) -> Any:
    """Returns the function of a step object; anything else as it is."""
    held: Any = value
    if isinstance(value, type):
        return held
    # Objects that make up attributes as they are asked for are not steps.
    own: Any = getattr(held, "__dict__", None)
    on_class = any(_STEP in vars(kind) for kind in type_of(held).__mro__)
    if not on_class and not (isinstance(own, dict) and _STEP in own):
        return held
    function: Any = getattr(held, _STEP, None)
    return function if callable(function) else held


def claimed(value: Any) -> tuple[str, str]:
    """Returns the module and the qualified name that `value` says it has; empty if it has none."""
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if not isinstance(module, str) and isinstance(value, FunctionType):
        module = value.__globals__.get("__name__")
    return (
        module if isinstance(module, str) else "",
        name if isinstance(name, str) else "",
    )


def home(value: Any) -> tuple[str, str] | None:
    """Returns the module and qualified name under which `value` is found, if it is."""
    module_name, qualified = claimed(value)
    module = sys.modules.get(module_name)
    if module is None or not qualified:
        return None
    found: Any = module
    for part in qualified.split("."):
        space = getattr(found, "__dict__", {})
        if part not in space:
            return (module_name, qualified) if _lazily(found, part, value) else None
        found = unwrap_step(undescribed(space[part]))
    return (module_name, qualified) if found is value or _same_method(found, value) else None


def _lazily(space: Any, name: str, value: Any) -> bool:
    """Returns whether a C type or a module has `value` under `name` beyond its dictionary."""
    return isinstance(space, type) and getattr(space, name, None) is value


def _same_method(found: Any, value: Any) -> bool:
    """Bound methods are made anew at each look-up, but compare equal."""
    return type(found) is type(value) and hasattr(value, "__self__") and bool(found == value)


def code_name(function: FunctionType) -> str:
    """Returns the qualified name that the code of `function` was written under.

    Decorators copy the name of what they wrap; before 3.11, code knows its short name only.
    """
    code = function.__code__
    qualified = getattr(code, "co_qualname", None)
    if isinstance(qualified, str):
        return qualified
    known = function.__qualname__
    return known if known.split(".")[-1] == code.co_name else code.co_name
