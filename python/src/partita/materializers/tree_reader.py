"""Reads back the structures that `tree` writes."""

from __future__ import annotations

import os
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from partita.materializers import classes, registry
from partita.materializers.errors import MaterializeError
from partita.materializers.inline import InlineMaterializer

NODE = "$node"
STRUCTURE = "structure.json"
PARTS = "parts"


class Reader:
    """Turns a structure into the value it stands for, loading its parts on the way."""

    def __init__(self, directory: str, *, trust_pickles: bool) -> None:
        """Reads from a directory that holds `parts`."""
        self.directory = directory
        self.trust_pickles = trust_pickles
        self._hints: dict[type, dict[str, Any]] = {}
        self._nodes: dict[str, Callable[[dict[str, Any], Any], Any]] = {
            "dict": lambda node, hint: dict(self._pairs(node, hint)),
            "OrderedDict": lambda node, hint: OrderedDict(self._pairs(node, hint)),
            "set": lambda node, hint: set(self._items(node, hint)),
            "frozenset": lambda node, hint: frozenset(self._items(node, hint)),
            "deque": lambda node, hint: deque(self._items(node, hint), node["maxlen"]),
            "namedtuple": self._named_tuple,
            "dataclass": self._dataclass,
            "inline": self._inline,
            "part": self._part,
        }

    def value(self, node: Any, hint: Any) -> Any:
        """Returns the value of a node.

        Args:
            node: The node, a plain value.
            hint: The reader's annotation of the value or of the collection that it lies in.
        """
        kind = classes.kind_of(node)
        if kind is list:
            return [self.value(item, hint) for item in node]
        if kind is tuple:
            return tuple(self.value(item, hint) for item in node)
        if kind is not dict:
            return node
        if NODE not in node:
            return {key: self.value(item, hint) for key, item in node.items()}
        read = self._nodes.get(node[NODE])
        if read is None:
            raise MaterializeError(
                f"the stored structure has a node `{node[NODE]}`, which is not known here: "
                f"upgrade Partita, or run the step that made the value again"
            )
        return read(node, hint)

    def _items(self, node: dict[str, Any], hint: Any) -> list[Any]:
        return [self.value(item, hint) for item in node["items"]]

    def _pairs(self, node: dict[str, Any], hint: Any) -> list[tuple[Any, Any]]:
        return [(self.value(key, hint), self.value(item, hint)) for key, item in node["items"]]

    def _inline(self, node: dict[str, Any], hint: Any) -> Any:
        chosen = registry.for_format(node["format"])
        if not issubclass(chosen, InlineMaterializer):
            raise MaterializeError(f"the format `{node['format']}` has no inline form")
        reader = chosen("")
        reader.type_name = node["type"]
        return reader.decode(node["value"], hint)

    def _part(self, node: dict[str, Any], hint: Any) -> Any:
        part = node["part"]
        if not (part.isascii() and part.isdigit()):
            raise MaterializeError(f"the stored structure names a part `{part}`, not a number")
        return registry.load(
            node["format"],
            os.path.join(self.directory, PARTS, part),
            data_type=hint,
            type_name=node["type"],
            trust_pickles=self.trust_pickles,
        )

    def _named_tuple(self, node: dict[str, Any], hint: Any) -> Any:
        kind = classes.find(
            node["type"],
            data_type=hint,
            is_right=_is_named_tuple,
            sort="named tuple",
        )
        hints = self._hints_of(kind)
        fields = {k: self.value(item, hints.get(k, hint)) for k, item in node["fields"].items()}
        names: tuple[str, ...] = kind._fields  # pyright: ignore[reportAttributeAccessIssue]
        _check_fields(kind, stored=set(fields), known=set(names), needed=set(names))
        return tuple.__new__(kind, [fields[name] for name in names])  # pyright: ignore[reportUnknownMemberType]

    def _dataclass(self, node: dict[str, Any], hint: Any) -> Any:
        import dataclasses

        kind = classes.find(
            node["type"],
            data_type=hint,
            is_right=_is_plain_dataclass,
            sort="dataclass",
        )
        hints = self._hints_of(kind)
        values = {k: self.value(item, hints.get(k, hint)) for k, item in node["fields"].items()}
        known = {field.name: field for field in dataclasses.fields(kind)}
        defaults = _defaults(known)
        needed = {n for n, field in known.items() if field.init and n not in defaults}
        _check_fields(kind, stored=set(values), known=set(known), needed=needed)
        for name, make in defaults.items():
            if name not in values:
                values[name] = make()
        values.update({k: self.value(item, None) for k, item in _attributes(node).items()})
        # Set as they were, not through `__init__`, which may compute, check or refuse.
        made = object.__new__(kind)
        for name, value in values.items():
            object.__setattr__(made, name, value)
        return made

    def _hints_of(self, kind: type) -> dict[str, Any]:
        if kind not in self._hints:
            import typing

            try:
                hints = typing.get_type_hints(kind, include_extras=True)
            except Exception:
                # Annotations may name what exists for type checkers alone.
                hints = {}
            self._hints[kind] = hints
        return self._hints[kind]


def _is_named_tuple(kind: type[Any]) -> bool:
    return tuple in kind.__mro__ and hasattr(kind, "_fields")


def _is_plain_dataclass(kind: type[Any]) -> bool:
    return hasattr(kind, "__dataclass_fields__") and kind.__new__ is object.__new__


def _attributes(node: dict[str, Any]) -> dict[str, Any]:
    for name in node["attributes"]:
        if name.startswith("__") and name.endswith("__"):
            raise MaterializeError(f"the stored dataclass sets `{name}`, which no value may")
    return node["attributes"]


def _defaults(fields: dict[str, Any]) -> dict[str, Callable[[], Any]]:
    """Returns how to make each field that has a default."""
    import dataclasses

    defaults: dict[str, Callable[[], Any]] = {}
    for name, field in fields.items():
        if field.default_factory is not dataclasses.MISSING:
            defaults[name] = field.default_factory
        elif field.default is not dataclasses.MISSING:
            defaults[name] = lambda field=field: field.default
    return defaults


def _check_fields(kind: type, *, stored: set[str], known: set[str], needed: set[str]) -> None:
    problems = [f"has no field `{name}`" for name in sorted(stored - known)]
    problems += [f"needs a field `{name}`" for name in sorted(needed - stored)]
    if problems:
        raise MaterializeError(
            f"`{classes.name_of(kind)}` has changed since the value was stored: it "
            f"{' and '.join(problems)}. Give new fields a default, or run the step that made the "
            f"value again"
        )
