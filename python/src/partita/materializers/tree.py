"""Stores dataclasses and collections whose parts need materializers of their own.

The structure is one plain value in `structure.json`. Numbers, texts and collections stand in it
as they are; anything else is an object with the key `$node`, which says what it is:

- `dataclass`, `namedtuple`: the class's name and the fields
- `dict`, `OrderedDict`, `deque`, `set`, `frozenset`: the items, where a plain one would not do
- `inline`: a value that its format writes as one plain value (a date, a member of an enumeration)
- `part`: a value with files of its own, in `parts/<number>`, and the format to load them with

So a dataclass with an array and a list of dates is one JSON file and one npy file, with no pickle.
"""

from __future__ import annotations

import os
from collections import OrderedDict, deque
from typing import Any

from partita import _native
from partita.materializers import classes, files, registry
from partita.materializers.base import BaseMaterializer, own_for
from partita.materializers.errors import Unsuitable
from partita.materializers.inline import InlineMaterializer, encoded
from partita.materializers.tree_reader import NODE, PARTS, STRUCTURE, Reader

_MAX_DEPTH = 200
_MAX_NODES = 10_000_000
_SCALARS = frozenset({type(None), bool, int, float, str, bytes})


class TreeMaterializer(BaseMaterializer):
    """Stores a structure of parts; the bases of `dataclass` and `container`."""

    def save(self, data: Any) -> None:
        """Writes `structure.json`, and each part to a directory in `parts`."""
        writer = _Writer(self.uri, self.place)
        structure = encoded(writer.node(data, depth=0))
        files.write(self.uri, STRUCTURE, structure)
        self.wrote_pickle = writer.wrote_pickle

    def load(self, data_type: Any) -> Any:
        """Reads the structure and its parts."""
        structure = _native.decode_value(files.read(self.uri, STRUCTURE))
        return Reader(self.uri, trust_pickles=self.trust_pickles).value(structure, data_type)


class _Writer:
    """Turns a value into a structure, writing its parts on the way."""

    def __init__(self, directory: str, place: tuple[str, int] | None) -> None:
        self.directory = directory
        self.place = place
        self.parts = 0
        self.nodes = 0
        self.wrote_pickle = False

    def node(self, value: Any, *, depth: int) -> Any:
        """Returns the plain value that stands for `value` in the structure."""
        self.nodes += 1
        if depth > _MAX_DEPTH or self.nodes > _MAX_NODES:
            raise Unsuitable("it is nested too deep, or contains itself")
        kind = classes.kind_of(value)
        if own_for(kind) is not None:
            return self._part(value)
        if kind in _SCALARS:
            return self._scalar(value)
        if kind is list:
            return [self.node(item, depth=depth + 1) for item in value]
        if kind is tuple:
            return tuple(self.node(item, depth=depth + 1) for item in value)
        if kind in (dict, OrderedDict):
            return self._dict(value, depth=depth + 1)
        if kind in (set, frozenset, deque):
            return self._collection(value, depth=depth + 1)
        return self._object(value, depth=depth + 1)

    def _scalar(self, value: Any) -> Any:
        return self._part(value) if _native.is_too_long(value) else value

    def _dict(self, value: dict[Any, Any], *, depth: int) -> Any:
        if type(value) is dict and all(type(key) in _SCALARS for key in value):
            if NODE not in value:
                return {key: self.node(item, depth=depth) for key, item in value.items()}
        items = [
            [self.node(key, depth=depth), self.node(item, depth=depth)]
            for key, item in value.items()
        ]
        return {NODE: type(value).__name__, "items": items}

    def _collection(self, value: Any, *, depth: int) -> dict[str, Any]:
        items = [self.node(item, depth=depth) for item in value]
        if isinstance(value, deque):
            return {NODE: "deque", "items": items, "maxlen": value.maxlen}
        return {NODE: type(value).__name__, "items": sorted(items, key=encoded)}

    def _object(self, value: Any, *, depth: int) -> dict[str, Any]:
        chosen = next(registry.candidates(value))
        if not issubclass(chosen, TreeMaterializer):
            return self._inline(value, chosen) or self._part(value)
        if isinstance(value, tuple):
            return self._named_tuple(value, depth=depth)
        return self._dataclass(value, depth=depth)

    def _named_tuple(self, value: Any, *, depth: int) -> dict[str, Any]:
        fields = {name: self.node(getattr(value, name), depth=depth) for name in value._fields}
        return {
            NODE: "namedtuple",
            "type": classes.name_of(classes.kind_of(value)),
            "fields": fields,
        }

    def _dataclass(self, value: Any, *, depth: int) -> dict[str, Any]:
        import dataclasses

        kind = classes.kind_of(value)
        names = [field.name for field in dataclasses.fields(value)]
        fields = {name: getattr(value, name) for name in names if hasattr(value, name)}
        others = {k: v for k, v in getattr(value, "__dict__", {}).items() if k not in fields}
        return {
            NODE: "dataclass",
            "type": classes.name_of(kind),
            "fields": {name: self.node(item, depth=depth) for name, item in fields.items()},
            "attributes": {name: self.node(item, depth=depth) for name, item in others.items()},
        }

    def _inline(self, value: Any, chosen: type[BaseMaterializer]) -> dict[str, Any] | None:
        if not issubclass(chosen, InlineMaterializer):
            return None
        try:
            plain = chosen("").encode(value)
        except Unsuitable:
            return None
        type_name = classes.name_of(classes.kind_of(value))
        return {NODE: "inline", "format": chosen.FORMAT, "type": type_name, "value": plain}

    def _part(self, value: Any) -> dict[str, Any]:
        number = str(self.parts)
        self.parts += 1
        directory = os.path.join(self.directory, PARTS, number)
        os.makedirs(directory)
        saved = registry.save(value, directory, place=self.place)
        self.wrote_pickle = self.wrote_pickle or saved.uses_pickle
        return {NODE: "part", "format": saved.format, "type": saved.type_name, "part": number}
