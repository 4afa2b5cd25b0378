"""Encodes a function: its code, what that looks up, and what it carries along."""

from __future__ import annotations

import sys
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from .framing import frame, text
from .lookup import Context
from .modules import SOURCE, STANDARD
from .naming import code_name
from .scan import scan

if TYPE_CHECKING:
    from .values import Encoder

_EMPTY = frame("empty cell")


def code_zone(function: FunctionType, encoder: Encoder) -> str:
    """Returns the zone of the module that the code of `function` was written in."""
    module = sys.modules.get(function.__globals__.get("__name__", ""))
    return encoder.walk.root.zone(module) if module is not None else SOURCE


def encode(function: FunctionType, encoder: Encoder) -> bytes:
    """Returns the encoding of `function` with all that belongs to it alone."""
    zone = code_zone(function, encoder)
    own = zone == SOURCE or function is encoder.walk.subject
    if not own and hasattr(function, "registry") and hasattr(function, "dispatch"):
        return _encode_single_dispatch(function, encoder)
    cells = _cells(function)
    carried = frame("cells", *_encode_cells(function, cells, encoder, own, zone))
    defaults = function.__defaults__ or ()
    keywords = function.__kwdefaults__ or {}
    return frame(
        "function",
        _encode_code(function, cells, encoder) if own else _name_code(function, encoder),
        carried,
        frame("defaults", *map(encoder.encode, defaults)),
        frame("keywords", *_pairs(keywords, encoder)),
        frame("attributes", *_pairs(_attributes(function), encoder)),
        frame("annotations", *(_annotations(function, cells, encoder) if own else ())),
    )


def _encode_code(function: FunctionType, cells: dict[str, Any], encoder: Encoder) -> bytes:
    """Encodes code of the source root, with each name that it looks up."""
    found = scan(function.__code__)
    context = _context(function, cells, encoder)
    if encoder.part != context.where and "<lambda>" not in context.where:
        encoder.walk.record(context.where, "function", found.body)
    uses = [
        frame("use", *map(text, (use.kind, use.name, *use.attributes)), reached)
        for use in found.uses
        if (reached := encoder.walk.look_up(use, context))
    ]
    return frame("written here", found.body, *uses)


def _name_code(function: FunctionType, encoder: Encoder) -> bytes:
    """Encodes code of another zone by name; its version is counted by its distribution."""
    name = str(function.__globals__.get("__name__", ""))
    module = sys.modules.get(name)
    if module is not None:
        encoder.walk.external(module)
    return frame("written elsewhere", text(name), text(code_name(function)))


def _context(function: FunctionType, cells: dict[str, Any], encoder: Encoder) -> Context:
    module = str(function.__globals__.get("__name__", encoder.module))
    where = f"{encoder.walk.root.name(module)}.{code_name(function)}"
    return Context(function.__globals__, module, where, cells)


def _cells(function: FunctionType) -> dict[str, Any]:
    """Returns the values of the free variables; of those not assigned yet, none."""
    values: dict[str, Any] = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            values[name] = cell.cell_contents
        except ValueError:
            continue
    return values


def _encode_cells(
    function: FunctionType, cells: dict[str, Any], encoder: Encoder, own: bool, zone: str
) -> list[bytes]:
    encoded: list[bytes] = []
    for name in function.__code__.co_freevars:
        if name not in cells:
            encoded.append(_EMPTY)
            continue
        value = cells[name]
        if own and isinstance(value, ModuleType):
            encoded.append(frame("module cell"))  # counts as far as the code uses it
            continue
        if zone == STANDARD and not _may_lead_on(value):
            continue  # internals of the standard library, such as caches and locks
        content = encoder.encode(value)
        encoded.append(frame("cell", text(name), content))
        if own and not callable(value):
            where = _context(function, cells, encoder).where
            encoder.walk.record(f"{where}.{name}", "closure", content)
    return encoded


def _may_lead_on(value: Any) -> bool:
    return callable(value) or value is None or isinstance(value, (int, float, str, tuple, list))


def _encode_single_dispatch(function: Any, encoder: Encoder) -> bytes:
    """Encodes a `functools.singledispatch` function by its implementations."""
    pairs = sorted(
        frame("case", encoder.encode(kind), encoder.encode(implementation))
        for kind, implementation in function.registry.items()
    )
    return frame("single dispatch", *pairs)


def _attributes(function: FunctionType) -> dict[str, Any]:
    return {k: v for k, v in vars(function).items() if not k.startswith("__partita")}


def _pairs(values: dict[str, Any], encoder: Encoder) -> list[bytes]:
    return [frame("pair", text(name), encoder.encode(values[name])) for name in sorted(values)]


def _annotations(function: FunctionType, cells: dict[str, Any], encoder: Encoder) -> list[bytes]:
    try:
        annotations = function.__annotations__
    except Exception:  # they may be evaluated only now, and name what is not there
        return []
    context = _context(function, cells, encoder)._replace(quiet=True)
    return [
        frame("annotation", text(name), encoder.annotation(value, context))
        for name, value in annotations.items()
    ]
