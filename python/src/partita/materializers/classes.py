"""Finds the class of a stored value without importing what a stored document names.

The reader's annotation comes first. Where it says nothing, a class that this process has already
loaded under the stored name will do, provided that it is of the right sort. Importing is never
tried: the name comes from the store, and an import runs code.
"""

from __future__ import annotations

import os
import sys

from partita.materializers.errors import MaterializeError
from partita.source_root import class_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType
    from typing import Any


def kind_of(value: object) -> type[Any]:
    """Returns the class of a value; `type`, for type checkers that know nothing of the value."""
    return type(value)


def name_of(kind: type) -> str:
    """Returns `module.qualname` of a class, the name under which values of it are stored."""
    return class_name(kind)


def find(
    type_name: str, *, data_type: Any, is_right: Callable[[type], bool], sort: str
) -> type[Any]:
    """Returns the class to read a stored value into.

    Args:
        type_name: `module.qualname` of the class that was stored.
        data_type: The reader's annotation; `Annotated`, `Optional`, unions and collections are
            looked through.
        is_right: Says whether a class is of the sort that the format holds.
        sort: What that sort is called in messages.

    Raises:
        MaterializeError: Neither the annotation nor any loaded module has such a class.
    """
    annotated = [kind for kind in classes_in(data_type) if is_right(kind)]
    for kind in annotated:
        if name_of(kind) == type_name:
            return kind
    loaded = loaded_class(type_name)
    if loaded is not None and is_right(loaded):
        if not annotated or any(issubclass(loaded, kind) for kind in annotated):
            return loaded
    if len(annotated) == 1:
        return annotated[0]
    raise MaterializeError(
        f"the value was stored as the {sort} `{type_name}`, and no loaded module has that class: "
        f"pass the class as `load(as_type=…)`, annotate the input with it, or import the module "
        f"that defines it first"
    )


def classes_in(annotation: Any) -> Iterator[type[Any]]:
    """Yields the classes that an annotation mentions, outermost first."""
    origin = getattr(annotation, "__origin__", None)
    if origin is not None:
        yield from classes_in(origin)
    elif isinstance(annotation, type):
        yield annotation
    elif hasattr(annotation, "__value__"):
        yield from classes_in(annotation.__value__)
    if origin is not None or not isinstance(annotation, type):
        for argument in getattr(annotation, "__args__", ()):
            yield from classes_in(argument)


def loaded_class(type_name: str) -> type[Any] | None:
    """Returns the class of this name if its module is loaded; looks at plain attributes only."""
    parts = type_name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        for module in _modules(".".join(parts[:length])):
            found = _attribute(module, parts[length:])
            if found is not None:
                return found
    return None


def _modules(name: str) -> Iterator[ModuleType]:
    """Yields the loaded module of a name, and the script that runs if that is its file."""
    module = sys.modules.get(name)
    if module is not None:
        yield module
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    if main is not None and file and os.path.basename(file) == name.rpartition(".")[2] + ".py":
        yield main


def _attribute(module: ModuleType, path: list[str]) -> type[Any] | None:
    # The dictionaries are read directly: a module's `__getattr__` or a descriptor may run code.
    found: Any = vars(module).get(path[0])
    for part in path[1:]:
        found = vars(found).get(part) if isinstance(found, type) else None
    return found if isinstance(found, type) else None
