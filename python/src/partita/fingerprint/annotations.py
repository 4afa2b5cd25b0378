"""Encodes annotations: a step's arguments are instances of the classes that these name."""

from __future__ import annotations

import builtins
import sys
import typing
from types import CodeType
from typing import TYPE_CHECKING, Any

from . import models
from .framing import frame, text
from .modules import SOURCE
from .naming import is_class, type_of
from .scan import scan

if TYPE_CHECKING:
    from .lookup import Context
    from .values import Encoder

_NAMED = frozenset({"NewType", "TypeVar", "TypeAliasType"})
_MEANINGS = ("__supertype__", "__bound__", "__constraints__", "__value__")
_compiled: dict[str, CodeType | None] = {}


def encode(value: Any, encoder: Encoder, context: Context) -> bytes:
    """Returns the encoding of an annotation, be it text or a type."""
    listed: Any = value
    if isinstance(value, str):
        return _encode_text(value, encoder, context)
    if isinstance(value, typing.ForwardRef):
        return _encode_text(value.__forward_arg__, encoder, context)
    if is_class(value):
        return encoder.type_reference(value)
    if type_of(value).__name__ in _NAMED:
        return _encode_named(value, encoder, context)
    if isinstance(getattr(value, "__args__", None), tuple):
        return _encode_generic(value, encoder, context)
    if isinstance(value, (list, tuple)):
        return frame("list", *(encode(item, encoder, context) for item in listed))
    if type(value).__module__ == "typing" or value is None or value is Ellipsis:
        return frame("typing", text(repr(value)))
    return _encode_metadata(value, encoder)


def _encode_text(value: str, encoder: Encoder, context: Context) -> bytes:
    if value not in _compiled:
        try:
            _compiled[value] = compile(value, "<annotation>", "eval")
        except (SyntaxError, ValueError):
            _compiled[value] = None
    code = _compiled[value]
    if code is None:
        return frame("text", text(value))
    reached = [encoder.walk.look_up(use, context) for use in scan(code).uses]
    return frame("text", text(value), *reached)


def _encode_named(value: Any, encoder: Encoder, context: Context) -> bytes:
    """Encodes a name for other types; inside of itself it is but its name."""
    shown = text(repr(value))
    if value in encoder.opened:
        return frame("typing", shown)
    encoder.opened.append(value)
    try:
        held = [getattr(value, name, None) for name in _MEANINGS]
        parts = [encode(part, encoder, context) for part in held if part is not None]
    except Exception:  # an alias is evaluated only now, and may name what is not there
        parts = []
    finally:
        encoder.opened.pop()
    return frame("typing", shown, *parts)


def _encode_generic(value: Any, encoder: Encoder, context: Context) -> bytes:
    origin: Any = getattr(value, "__origin__", type_of(value))
    metadata = getattr(value, "__metadata__", ())
    return frame(
        "generic",
        encode(origin, encoder, context),
        *(encode(argument, encoder, context) for argument in value.__args__),
        *(_encode_metadata(item, encoder) for item in metadata),
    )


def _encode_metadata(value: Any, encoder: Encoder) -> bytes:
    """Encodes what `Annotated` carries: a library's objects by their class, others as values."""
    kind = type_of(value)
    if models.is_setting(value):
        return models.setting(value, encoder)
    module = sys.modules.get(kind.__module__)
    if module is not None and (module is builtins or encoder.walk.root.zone(module) == SOURCE):
        return encoder.encode(value)
    return frame("of", text(kind.__module__), text(kind.__qualname__))
