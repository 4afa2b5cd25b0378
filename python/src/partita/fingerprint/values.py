"""Encodes live values: constants by value, code by reference, and what is neither as opaque."""

from __future__ import annotations

import sys
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from . import classes, functions, library
from .framing import frame, text
from .modules import DISTRIBUTION, SOURCE, is_compiled
from .naming import claimed, home, is_class, type_of, unwrap_step
from .plain import encode_scalar

if TYPE_CHECKING:
    from .lookup import Context
    from .reach import Walk

_MOST_VALUES = 200_000
_MOST_BYTES = 64 << 20
_DEEPEST = 100
_CONTAINERS = (list, tuple, dict, set, frozenset)


class TooLargeError(ValueError):
    """The value has more parts, levels or bytes than are compared."""


class Encoder:
    """Encodes what belongs to one part, and tells the walk what else that reaches.

        `module` is the module that counts as a whole if something in here can't be compared; with
    which may have been imported from elsewhere.
        `subject` is the object that the part is made of.
    """

    def __init__(
        self, walk: Walk, part: str, module: str, binding: str = "", subject: Any = None
    ) -> None:
        self.walk = walk
        self.part = part
        self.module = module
        self.binding = binding
        self.subject = subject
        self.seen: dict[int, tuple[int, Any]] = {}
        self.opened: list[Any] = []
        self._count = 0
        self._bytes = 0
        self._depth = 0
        self._touched = False

    def encode(self, value: Any) -> bytes:
        """Returns the encoding of `value`.

        Raises:
            TooLargeError: There is too much of it.
        """
        self._spend(1, 0)
        scalar = encode_scalar(value)
        if scalar is not None:
            self._spend(0, len(scalar))
            return self._rooted(value) if type(value) is str else scalar
        if type(value) is object:
            return frame("object")
        value = unwrap_step(value)
        self._depth += 1
        try:
            if self._depth > _DEEPEST:
                raise TooLargeError
            return self._compound(value)
        finally:
            self._depth -= 1

    def _compound(self, value: Any) -> bytes:
        if is_class(value):
            return self.type_reference(value)
        if isinstance(value, ModuleType):
            return self.walk.whole(value)
        if library.is_ignored(value, self.walk.root):
            return frame("ignored", text(type(value).__qualname__))
        if callable(value):
            known = self.reference(value)
            if known is not None:
                return known
        return self.inline(value)

    def inline(self, value: Any) -> bytes:
        """Encodes an object where it is found; a cycle ends at the second sight of it."""
        if id(value) in self.seen:
            return frame("seen", str(self.seen[id(value)][0]).encode())
        if not isinstance(value, tuple):
            # The object is kept, so that its id can't be given to another one meanwhile.
            self.seen[id(value)] = (len(self.seen), value)
        if isinstance(value, FunctionType):
            return functions.encode(value, self)
        if is_class(value):
            return classes.encode(value, self)
        if isinstance(value, MethodType):
            return frame("method", self.encode(value.__func__), self.encode(value.__self__))
        if isinstance(value, BuiltinFunctionType):
            holder: Any = value.__self__
            known = holder is None or isinstance(holder, ModuleType)
            return frame("builtin", text(value.__name__), b"" if known else self.encode(holder))
        if type_of(value) in _CONTAINERS:
            return self.container(value)
        encoded = library.encode(value, self)
        return self.opaque(value) if encoded is None else encoded

    def container(self, value: Any) -> bytes:
        """Encodes a list, tuple, dict or set (or what behaves as one) by its items.

        The order of a dict counts, since iterating over it shows it.
        """
        held: Any = value
        if isinstance(value, dict):
            items = [(self.encode(k), self.encode(v)) for k, v in list(held.items())]
            return frame("dict", *(part for item in items for part in item))
        if isinstance(value, (set, frozenset)):
            encoded = sorted(self._unseen(item) for item in list(held))
        else:
            encoded = [self.encode(item) for item in list(held)]
        name = next(kind.__name__ for kind in _CONTAINERS if isinstance(value, kind))
        return frame(name, *encoded)

    def _unseen(self, item: Any) -> bytes:
        """Encodes an item of a set as if no other were there: their order differs by process."""
        known = len(self.seen)
        encoded = self.encode(item)
        library.forget(self.seen, known)
        return encoded

    def reference(self, value: Any) -> bytes | None:
        """Returns a reference by name to a callable that is at home; else None.

        One of the source root becomes a part; of others, the distribution counts.
        """
        place = home(value)
        if place is None:
            return None
        module = sys.modules[place[0]]
        if self.walk.root.zone(module) != SOURCE:
            if isinstance(value, FunctionType) and _is_wrapper_of_source(self.walk, value):
                return None
            self.walk.external(module)
            return frame("external", *map(text, place))
        name = f"{self.walk.root.name(place[0])}.{place[1]}"
        if is_compiled(module):
            because = f"`{name}` is compiled"
            file = self.walk.whole(module, because=because, everything=False)
            return frame("compiled", file, text(place[1]))
        self.walk.add(name, "class" if is_class(value) else "function", value, place[0])
        return frame("reference", text(name))

    def type_reference(self, value: type) -> bytes:
        """Returns a reference to a class, or the class itself if it is at home nowhere."""
        known = self.reference(value)
        if known is not None:
            return known
        module = sys.modules.get(value.__module__)
        if module is not None and self.walk.root.zone(module) != SOURCE:
            self.walk.external(module)
            return frame("external", text(value.__module__), text(value.__qualname__))
        return self.inline(value)

    def opaque(self, value: Any) -> bytes:
        """Encodes an object of a kind that can't be compared: its module counts as a whole.

        So do its class, the functions that can be seen to hang on it, and what other modules do to
        it while they are imported.
        """
        owner = self.walk.defining_module(self.module, self.binding)
        if not hasattr(type_of(value), "__get__"):  # A descriptor belongs to its class's body.
            self._touched_elsewhere(owner)
        module = sys.modules.get(owner)
        kind = type_of(value)
        if module is not None and self.walk.root.zone(module) != SOURCE:
            self.walk.external(module)
            return frame("external", text(owner), text(self.binding))
        if module is not None:
            because = f"`{self.part}` holds a `{kind.__module__}.{kind.__qualname__}`"
            self.walk.whole(module, because=because, everything=False)
        return frame("opaque", self.type_reference(kind), library.links(value, self))

    def _touched_elsewhere(self, owner: str) -> None:
        """Counts what modules run on their import that may change the objects of this part."""
        if self.subject is not None and not self._touched:
            self._touched = True
            self.walk.touched(self.subject, self.part, owner)

    def annotation(self, value: Any, context: Context) -> bytes:
        """Encodes an annotation: what it says, and the classes that it names."""
        from .annotations import encode

        return encode(value, self, context)

    def spend_bytes(self, count: int) -> None:
        """Counts bytes that are compared without being encoded here."""
        self._spend(0, count)

    def _rooted(self, value: str) -> bytes:
        """Encodes text; a path below the source root counts from there, so that it can move."""
        root = self.walk.root.path
        if value == root or self.walk.root.holds(value):
            return frame("below root", text(value[len(root) :]))
        return frame("str", text(value))

    def _spend(self, count: int, size: int) -> None:
        self._count += count
        self._bytes += size
        if self._count > _MOST_VALUES or self._bytes > _MOST_BYTES:
            raise TooLargeError


def _is_wrapper_of_source(walk: Walk, value: FunctionType) -> bool:
    wrapped = getattr(value, "__wrapped__", None)
    module = sys.modules.get(claimed(wrapped)[0]) if wrapped is not None else None
    return module is not None and walk.root.zone(module) not in (DISTRIBUTION, "standard")
