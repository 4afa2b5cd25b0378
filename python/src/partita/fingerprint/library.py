"""Encodes objects of well-known types: wrappers, enums, paths, dates, arrays, dataclasses.

Everything here is recognised without importing the library that it belongs to.
"""

from __future__ import annotations

import functools
import os
import re
import sys
import weakref
from _thread import _local  # pyright: ignore[reportPrivateUsage] - importing threading costs more
from enum import Enum
from pathlib import PurePath
from types import DynamicClassAttribute, FunctionType, MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any

from .framing import frame, text
from .modules import SOURCE
from .naming import is_class, type_of, undescribed, unwrap_step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .modules import SourceRoot
    from .values import Encoder

# Modules whose objects are values, and say by `__reduce_ex__` what they are made of.
_VALUE_MODULES = frozenset(
    {"builtins", "collections", "datetime", "decimal", "fractions", "functools", "ipaddress"}
    | {"operator", "_operator", "re", "types", "uuid", "zoneinfo", "array"}
)
_IGNORED_MODULES = frozenset({"logging", "_thread", "threading"})
_WEAK = (weakref.ref, *weakref.ProxyTypes)
_MOST_LINKS = 5_000
_DEEPEST_LINK = 8


def is_ignored(value: Any, root: SourceRoot) -> bool:
    """Returns whether `value` can't change a result: a logger, a lock, an object of Partita's.

    One of a class of the source root may well change it.
    """
    if issubclass(type(value), _WEAK):
        return True
    if issubclass(type(value), _local):
        return False
    for kind in type(value).__mro__[:-1]:
        if kind.__module__.partition(".")[0] in _IGNORED_MODULES:
            return True
        module = sys.modules.get(kind.__module__)
        if module is None or root.zone(module) == SOURCE:
            return False
    return type(value).__module__.partition(".")[0] == "partita"


def encode(value: Any, encoder: Encoder) -> bytes | None:
    """Returns the encoding of an object of a well-known type; None for any other."""
    for attempt in (_wrapper, _named_value, _array, _typing, _record, _stdlib_value):
        encoded = attempt(value, encoder)
        if encoded is not None:
            return encoded
    return None


def _wrapper(value: Any, encoder: Encoder) -> bytes | None:
    """Encodes what holds a function: descriptors, partial functions, caches."""
    held: Any = value
    if isinstance(value, (staticmethod, classmethod)):
        return frame(type_of(value).__name__, encoder.encode(undescribed(value)))
    if isinstance(value, (property, DynamicClassAttribute)):
        accessors = (value.fget, value.fset, value.fdel)
        return frame("property", *(_accessor(function, encoder) for function in accessors))
    if isinstance(value, functools.cached_property):
        return frame("cached property", _accessor(value.func, encoder))
    if isinstance(value, functools.singledispatchmethod):
        return frame("single dispatch", encoder.encode(held.dispatcher))
    if isinstance(value, (functools.partial, functools.partialmethod)):
        fields = (held.func, held.args, held.keywords)
        return frame("partial", *map(encoder.encode, fields))
    wrapped = getattr(value, "__wrapped__", None)
    if type(value).__module__ == "functools" and wrapped is not None:
        parameters: Any = held.cache_parameters() if hasattr(held, "cache_parameters") else {}
        return frame("cache", encoder.encode(wrapped), encoder.encode(parameters))
    return None


def _accessor(function: Any, encoder: Encoder) -> bytes:
    """Encodes an accessor in place: getter and setter share one name, so it can't refer to them."""
    if isinstance(function, FunctionType):
        return encoder.inline(function)
    return encoder.encode(function)


def _named_value(value: Any, encoder: Encoder) -> bytes | None:
    if isinstance(value, Enum):
        return frame("member", encoder.type_reference(type(value)), text(value.name))
    held: Any = value
    if isinstance(value, re.Pattern):
        return frame("pattern", encoder.encode(held.pattern), encoder.encode(held.flags))
    if isinstance(value, PurePath):
        return frame("path", encoder.encode(str(value)))
    if isinstance(value, type(os.environ)):
        return frame("environment")  # variables count when they are declared
    return None


def _array(value: Any, encoder: Encoder) -> bytes | None:
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, (numpy.ndarray, numpy.generic, numpy.dtype)):
        return None
    if type(value).__module__.partition(".")[0] != "numpy":
        return None
    encoder.walk.external(numpy)
    if isinstance(value, numpy.dtype):
        held: Any = value
        return frame("dtype", text(repr(held.descr) if held.fields else held.str))
    data: Any = value
    encoder.spend_bytes(data.nbytes)
    content = encoder.encode(data.tolist()) if data.dtype.hasobject else data.tobytes()
    shape = frame("shape", *(str(size).encode() for size in data.shape))
    layout = frame("column first" if data.flags.fnc else "row first")
    return frame(type(data).__name__, encoder.encode(data.dtype), shape, layout, content)


def _typing(value: Any, encoder: Encoder) -> bytes | None:
    module = type(value).__module__
    if module not in ("typing", "types", "typing_extensions"):
        return None
    if module == "types" and not isinstance(getattr(value, "__args__", None), tuple):
        return None
    from .lookup import Context

    space = vars(sys.modules[encoder.module]) if encoder.module in sys.modules else {}
    return encoder.annotation(value, Context(space, encoder.module, encoder.part, {}, quiet=True))


def _record(value: Any, encoder: Encoder) -> bytes | None:
    """Encodes instances that are their fields: dataclasses, named tuples, kinds of containers."""
    kind = type_of(value)
    module = sys.modules.get(kind.__module__)
    written_here = module is not None and encoder.walk.root.zone(module) == SOURCE
    if not written_here:
        return None
    items: Any = value
    if isinstance(value, (list, tuple, dict, set, frozenset)):
        held = encoder.encode(dict(getattr(items, "__dict__", {})))
        return frame("kind of", encoder.type_reference(kind), encoder.container(items), held)
    if "__dataclass_fields__" not in vars(kind):
        return None
    names: Any = vars(kind)["__dataclass_fields__"]
    fields = {name: getattr(value, name, None) for name in names}
    others: dict[str, Any] = getattr(value, "__dict__", {})
    more = {
        name: others[name]
        for name in sorted(others.keys() - fields)
        if not isinstance(getattr(kind, name, None), functools.cached_property)
    }
    return frame("dataclass", encoder.type_reference(kind), *map(encoder.encode, (fields, more)))


def _stdlib_value(value: Any, encoder: Encoder) -> bytes | None:
    items: Any = value
    if isinstance(value, MappingProxyType):
        return frame("mapping", encoder.encode(dict(items)))
    if type(value).__module__ not in _VALUE_MODULES:
        return None
    try:
        reduced = value.__reduce_ex__(4)  # of a time, 2 leaves out `fold`
    except Exception:  # open files, generators and the like
        return None
    made: list[Any] = [*reduced] if type(reduced) is tuple else []
    if not made:
        return None
    made[3:] = [part if part is None else list(part) for part in made[3:]]
    return frame("made of", *map(encoder.encode, made))


def forget(seen: dict[int, Any], known: int) -> None:
    """Takes all but the first `known` objects out of those seen."""
    while len(seen) > known:
        seen.popitem()


def links(value: Any, encoder: Encoder) -> bytes:
    """Returns the functions and classes of the source root that hang on an opaque object.

    What else the object holds is left out: it may differ from process to process.
    """
    return _Links(encoder).follow(value, 0) or b""


class _Links:
    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        self.seen: dict[int, Any] = {}

    def follow(self, value: Any, depth: int) -> bytes | None:
        value = unwrap_step(value)
        if depth > _DEEPEST_LINK or len(self.seen) > _MOST_LINKS or id(value) in self.seen:
            return None
        if isinstance(value, (str, bytes, int, float, type(None), ModuleType)):
            return None
        if is_ignored(value, self.encoder.walk.root):
            return None
        self.seen[id(value)] = value
        if isinstance(value, FunctionType) or is_class(value):
            return self._code(value)
        if isinstance(value, (functools.partial, staticmethod, classmethod, property)):
            return self.encoder.encode(value)
        held: Any = value
        if isinstance(value, (set, frozenset)):
            found = sorted(self._unseen(item, depth) for item in held)
            found = [link for link in found if link]
        else:
            found = list(self._items(value, depth))
        return frame("links", *found) if found else None

    def _unseen(self, item: Any, depth: int) -> bytes:
        """Follows an item of a set as if no other were there: their order differs by process."""
        known, encoded = len(self.seen), len(self.encoder.seen)
        reached = self.follow(item, depth + 1)
        forget(self.seen, known)
        forget(self.encoder.seen, encoded)
        return reached or b""

    def _code(self, value: Any) -> bytes | None:
        module = sys.modules.get(getattr(value, "__module__", None) or "")
        wrapped = getattr(value, "__wrapped__", None)
        if module is not None and self.encoder.walk.root.zone(module) != SOURCE and not wrapped:
            return None
        return self.encoder.encode(value)

    def _items(self, value: Any, depth: int) -> Iterator[bytes]:
        held: Any = value
        if isinstance(value, (dict, MappingProxyType)):
            pairs = list(held.items())
        elif isinstance(value, (list, tuple)):
            pairs = [("", item) for item in held]
        else:
            has_fields = isinstance(getattr(held, "__dict__", None), dict)
            fields: dict[Any, Any] = held.__dict__ if has_fields else {}
            pairs = list(fields.items())
            for kind in type(value).__mro__:
                names = vars(kind).get("__slots__", ())
                for name in (names,) if isinstance(names, str) else names:
                    pairs.append((name, getattr(value, name, None)))
        for key, item in pairs:
            reached = self.follow(item, depth + 1)
            if reached is not None:
                yield frame("link", text(key) if isinstance(key, str) else b"", reached)
