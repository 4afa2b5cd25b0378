"""Resolves what code looks up, in the live namespaces, to what it reaches.

Attributes are followed through modules only: `helpers.text.clean` reaches that one function, while
a module that is passed on, indexed by `getattr` or imported by a computed name counts as a whole.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from . import computed, library
from .framing import frame, text
from .modules import DISTRIBUTION, OUTSIDE, SOURCE, STANDARD, absolute, find
from .naming import claimed, is_class, unwrap_step

if TYPE_CHECKING:
    from .modules import Found
    from .reach import Walk
    from .scan import Import, Use

# Builtins by which code can reach names that it doesn't show.
_DYNAMIC_BUILTINS = frozenset({"eval", "exec", "globals", "__import__"})
_DYNAMIC_MODULES = frozenset({"runpy", "pkgutil", "imp", "zipimport"})
# Functions and classes of `importlib` that make a module of any file.
_FILE_LOADERS = frozenset({"spec_from_file_location", "SourceFileLoader"})
# Attributes of a module that describe it rather than belong to its code.
_MODULE_FACTS = frozenset({"__name__", "__file__", "__package__", "__builtins__", "__cached__"})
_MODULE_DOORS = frozenset({"__dict__", "__path__", "__spec__", "__loader__"})


class Context(NamedTuple):
    """Where code looks its names up.

    `where` is the code's own name, for notes; a `quiet` one may name things that are not there.
    """

    space: dict[str, Any]
    module: str
    where: str
    cells: dict[str, Any]
    quiet: bool = False
    package: str = ""


class _Spot(NamedTuple):
    """A value, and the module and name that it was found under."""

    value: Any
    module: str
    name: str


def look_up(walk: Walk, use: Use, context: Context) -> bytes:
    """Returns a reference to what `use` reaches; empty where that is nothing that counts."""
    if use.kind == "import" and use.source is not None:
        return _look_up_import(walk, use, use.source, context)
    if use.kind == "free":
        value = context.cells.get(use.name)
        if not isinstance(value, ModuleType):
            return b""
        return _follow(walk, _Spot(value, context.module, use.name), use, context)
    if use.name in context.space:
        value = context.space[use.name]
        walk.bindings.append((context.space, use.name, value))
        if use.name in _MODULE_FACTS or use.name in _MODULE_DOORS:
            return b""
        return _follow(walk, _Spot(value, context.module, use.name), use, context)
    if hasattr(builtins, use.name):
        return _look_up_builtin(walk, use, context)
    walk.bindings.append((context.space, use.name, walk.MISSING))
    if not context.quiet and use.name not in _MODULE_FACTS:
        walk.notes.add(f"`{use.name}`, which {context.where} names, is not defined anywhere")
    return frame("unresolved")


def _look_up_builtin(walk: Walk, use: Use, context: Context) -> bytes:
    walk.bindings.append((context.space, use.name, walk.MISSING))
    if use.name not in _DYNAMIC_BUILTINS:
        return b""
    if use.name == "__import__":
        return _import_computed(walk, "`__import__`", use, context)
    return _dynamic(walk, f"`{use.name}`", context)


def _look_up_import(walk: Walk, use: Use, source: Import, context: Context) -> bytes:
    package = context.package or context.space.get("__package__") or ""
    name = absolute(source.module, source.level, package)
    if source.star:
        return _import_whole(walk, name, context)
    if sys.modules.get(name) is None:
        return _import_whole(walk, name, context, source.members)
    found = name.partition(".")[0] if source.binds_top else name
    path = source.members + use.attributes
    spot = _Spot(sys.modules[found], found, found)
    return _follow(walk, spot, use._replace(attributes=path), context)


def _import_whole(walk: Walk, name: str, context: Context, members: tuple[str, ...] = ()) -> bytes:
    """Reaches all of a module, loaded or not, and what of it is taken that is a module itself."""
    module = sys.modules.get(name)
    if module is not None:
        return walk.whole(module)
    try:
        found = find(name)
    except (ImportError, AttributeError, ValueError):
        found = None
    if name.partition(".")[0] in sys.stdlib_module_names and not _is_shadowed(walk, found):
        return frame("external", text(name))
    if found is None:
        if not context.quiet:
            walk.notes.add(f"`{name}`, which {context.where} imports, is not found")
        return frame("unresolved")
    walk.unloaded(found)
    for member in members:
        inner = find(f"{name}.{member}") if found.search else None
        if inner is not None:
            walk.unloaded(inner)
    return frame("module", text(name))


def _is_shadowed(walk: Walk, found: Found | None) -> bool:
    """Returns whether a module named as one of Python's own is the author's."""
    file = found.file if found is not None else None
    return file is not None and walk.root.zone_of_file(file) == SOURCE


def _dynamic(walk: Walk, how: str, context: Context) -> bytes:
    """Reaches the whole module that looks names up in a way that can't be seen through."""
    module = sys.modules.get(context.module)
    if module is None:
        return b""
    because = f"{context.where} uses {how}"
    return walk.whole(module, because=because, any_name=True)


def _follow(walk: Walk, spot: _Spot, use: Use, context: Context) -> bytes:
    """Follows the attributes of `use` through modules, to an object or to a whole module."""
    left = list(use.attributes)
    while isinstance(spot.value, ModuleType):
        module = spot.value
        zone = walk.root.zone(module)
        if zone == OUTSIDE or not left or left[0] in _MODULE_DOORS:
            return _end_at_module(walk, module, zone, use, context)
        name = left.pop(0)
        if name in vars(module):
            value = vars(module)[name]
        else:
            value = sys.modules.get(f"{module.__name__}.{name}", walk.MISSING)
        if zone == SOURCE:
            if name in _MODULE_FACTS:
                return b""
            walk.bindings.append((vars(module), name, vars(module).get(name, walk.MISSING)))
            if value is walk.MISSING:
                return _missing_attribute(walk, module, name, context)
        elif not isinstance(value, ModuleType):
            return _end_outside(walk, module, _Spot(value, module.__name__, name), use, context)
        spot = _Spot(value, module.__name__, name)
    return _refer(walk, spot, use, context)


def _end_at_module(walk: Walk, module: ModuleType, zone: str, use: Use, context: Context) -> bytes:
    if zone == STANDARD and (module is importlib or module.__name__ in _DYNAMIC_MODULES):
        return _import_computed(walk, f"`{module.__name__}`", _any(use), context)
    return walk.whole(module)


def _end_outside(walk: Walk, module: ModuleType, spot: _Spot, use: Use, context: Context) -> bytes:
    """Ends at something in a module of Python's own or of a distribution."""
    if walk.root.zone(module) == DISTRIBUTION:
        walk.external(module)
    elif module is sys and spot.name == "modules":
        return _dynamic(walk, "`sys.modules`", context)
    elif module.__name__ in _DYNAMIC_MODULES or spot.name in _FILE_LOADERS:
        return _import_computed(walk, f"`{module.__name__}.{spot.name}`", _any(use), context)
    elif module is importlib or (module is builtins and spot.name in _DYNAMIC_BUILTINS):
        return _import_dynamically(walk, f"{module.__name__}.{spot.name}", use, context)
    if _is_put_there(walk, spot.value):
        return _refer(walk, spot, use, context)
    return frame("external", text(module.__name__), text(spot.name))


def _refer_to_subclasses(walk: Walk, kind: type) -> None:
    """Reaches the classes of the source root that are looked up as the subclasses of another."""
    for below in type.__subclasses__(kind):
        module = sys.modules.get(below.__module__)
        if module is not None and walk.root.zone(module) == SOURCE:
            walk.add(
                f"{walk.root.name(below.__module__)}.{below.__qualname__}",
                "class",
                below,
                below.__module__,
            )
            _refer_to_subclasses(walk, below)


def _is_put_there(walk: Walk, value: Any) -> bool:
    """Returns whether the author's code has replaced something in a module of somebody else's."""
    owner = sys.modules.get(value.__module__ or "") if isinstance(value, FunctionType) else None
    return owner is not None and walk.root.zone(owner) == SOURCE


def _import_dynamically(walk: Walk, how: str, use: Use, context: Context) -> bytes:
    if how.endswith(".reload"):
        return _dynamic(walk, f"`{how}`", context)
    return _import_computed(walk, f"`{how}`", use, context)


def _import_computed(walk: Walk, how: str, use: Use, context: Context) -> bytes:
    """Reaches the module that is imported by a literal name, else all that may be meant."""
    if use.idle:
        return b""
    if use.argument is not None and not use.argument.startswith("."):
        return _import_whole(walk, use.argument, context)
    package = context.package or context.space.get("__package__") or ""
    prefix = computed.prefix_of(use.argument or use.begins, package)
    because = f"{context.where} uses {how}"
    for found in computed.candidates(walk.root, prefix):
        walk.unloaded(found, because=because)
    return _dynamic(walk, how, context)


def _any(use: Use) -> Use:
    """Returns a use that may import anything: what it is called with is no module's name."""
    return use._replace(argument=None, begins=None)


def _loads_any_file(value: Any) -> bool:
    """Returns whether `value` is a function or class that makes a module of any file."""
    module, name = claimed(value) if callable(value) else ("", "")
    return module in _DYNAMIC_MODULES or (name in _FILE_LOADERS and "importlib" in module)


def _missing_attribute(walk: Walk, module: ModuleType, name: str, context: Context) -> bytes:
    """Ends at an attribute that isn't there: made by `__getattr__`, not yet imported, or wrong."""
    if "__getattr__" in vars(module) or not hasattr(module, "__path__"):
        return walk.whole(module)
    found = find(f"{module.__name__}.{name}")
    if found is None:
        return walk.whole(module)
    return _import_whole(walk, found.name, context)


def _refer(walk: Walk, spot: _Spot, use: Use, context: Context) -> bytes:
    """Returns a reference to a value: by its own name if it is at home, else by where it is."""
    if spot.value is importlib.import_module:
        return _import_dynamically(walk, "importlib.import_module", use, context)
    if _loads_any_file(spot.value):
        return _import_computed(walk, f"`{spot.name}`", _any(use), context)
    if spot.value is sys.modules:
        return _dynamic(walk, "`sys.modules`", context)
    value = unwrap_step(spot.value)
    if library.is_ignored(value, walk.root):
        return b""
    from .values import Encoder

    name = f"{walk.root.name(spot.module)}.{spot.name}"
    if is_class(value) and "__subclasses__" in use.attributes:
        _refer_to_subclasses(walk, value)
    if callable(value):
        known = Encoder(walk, name, spot.module, spot.name).reference(value)
        if known is not None:
            return known
    kind = "constant"
    if isinstance(value, FunctionType):
        kind = "closure" if value.__closure__ else "function"
    elif is_class(value):
        kind = "class"
    walk.add(name, kind, value, spot.module, spot.name)
    return frame("reference", text(name))
