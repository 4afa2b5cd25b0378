"""Encodes a class: its bases, and everything in its body that can change what it does."""

from __future__ import annotations

import sys
from enum import Enum
from types import FunctionType
from typing import TYPE_CHECKING, Any

from . import models
from .framing import frame, text
from .lookup import Context
from .naming import undescribed

if TYPE_CHECKING:
    from .values import Encoder

# What Python derives from the rest, or from where the class stands.
_DERIVED = frozenset(
    {"__module__", "__dict__", "__weakref__", "__firstlineno__", "__static_attributes__"}
    | {"__abstractmethods__", "_abc_impl", "__parameters__", "__annotations_cache__"}
    | {"__dataclass_params__", "__dataclass_fields__", "__annotations__", "__orig_bases__"}
    | {"__signature__", "__qualname__", "__class_vars__", "__private_attributes__"}
)
_DESCRIPTORS = ("member_descriptor", "getset_descriptor", "_tuplegetter")


def encode(kind: type, encoder: Encoder) -> bytes:
    """Returns the encoding of `kind`, whose module is in the source root."""
    module = sys.modules.get(kind.__module__)
    name = encoder.walk.root.name(kind.__module__)
    space = vars(module) if module is not None else {}
    context = Context(space, kind.__module__, f"{name}.{kind.__qualname__}", {}, quiet=True)
    metaclass: type = type(kind)
    generic_bases: Any = vars(kind).get("__orig_bases__", ())
    return frame(
        "class",
        text(kind.__qualname__),
        frame("bases", *map(encoder.type_reference, kind.__bases__)),
        encoder.type_reference(metaclass),
        frame("generics", *(encoder.annotation(base, context) for base in generic_bases)),
        frame("annotations", *_annotations(kind, encoder, context)),
        frame("fields", *_fields(kind, encoder, context)),
        frame("members", *_members(kind, encoder)),
    )


def _annotations(kind: type, encoder: Encoder, context: Context) -> list[bytes]:
    """Encodes the annotations of the body, in order, which is that of a dataclass's fields."""
    try:
        annotations = kind.__annotations__ if "__annotations__" in vars(kind) else {}
    except Exception:  # they may be evaluated only now, and name what is not there
        annotations = {}
    return [
        frame("annotation", text(name), encoder.annotation(value, context))
        for name, value in annotations.items()
    ]


def _fields(kind: type, encoder: Encoder, context: Context) -> list[bytes]:
    """Encodes the fields of a dataclass or of a pydantic model, instead of its code."""
    held = vars(kind)
    encoded = [text(repr(held.get("__dataclass_params__")))]
    for name, field in held.get("__dataclass_fields__", {}).items():
        flags = (field.init, field.repr, field.hash, field.compare, getattr(field, "kw_only", None))
        encoded.append(
            frame(
                "field",
                text(name),
                models.default(field.default, encoder),
                models.default(field.default_factory, encoder),
                encoder.encode(flags),
                encoder.encode(dict(field.metadata)),
            )
        )
    return encoded + models.encode(kind, encoder, context)


def _members(kind: type, encoder: Encoder) -> list[bytes]:
    held = vars(kind)
    if Enum in kind.__mro__:
        members: Any = getattr(kind, "__members__", {})
        return [
            *(frame("member", text(m), encoder.encode(e.value)) for m, e in members.items()),
            *(
                _member(k, held[k], encoder)
                for k in sorted(held)
                if k not in members and _is_in_enum_body(k, held[k])
            ),
        ]
    return [
        _member(name, held[name], encoder)
        for name in sorted(held)
        if name not in _DERIVED
        and not name.startswith("__pydantic")
        and not (name == "__doc__" and _is_made_of_fields(kind))
        and not _is_generated(kind, held[name])
    ]


def _member(name: str, value: Any, encoder: Encoder) -> bytes:
    if type(value).__name__ in _DESCRIPTORS:
        return frame("slot", text(name))
    if type(value).__name__ == "PydanticDescriptorProxy":
        wrapped, info = value.wrapped, models.setting(value.decorator_info, encoder)
        return frame("validated", text(name), encoder.encode(wrapped), info)
    return frame("attribute", text(name), encoder.encode(value))


def _is_in_enum_body(name: str, value: Any) -> bool:
    """Returns whether `value` in an enum's body was written there, not put there by `enum`."""
    function = undescribed(value)
    if isinstance(function, FunctionType):
        return function.__globals__.get("__name__") != "enum"
    return not (name.startswith("_") and name.endswith("_"))


def _is_made_of_fields(kind: type) -> bool:
    """Returns whether a dataclass wrote its own docstring, with defaults as they are shown."""
    shown = kind.__doc__ or ""
    return hasattr(kind, "__dataclass_fields__") and shown.startswith(f"{kind.__name__}(")


def _is_generated(kind: type, value: Any) -> bool:
    """Returns whether `value` is a method that was made from the fields."""
    function = undescribed(value)
    if not isinstance(function, FunctionType):
        return False
    wrapped = getattr(function, "__wrapped__", None)
    innermost = wrapped if isinstance(wrapped, FunctionType) else function
    file = innermost.__code__.co_filename
    from_fields = hasattr(kind, "__dataclass_fields__") or issubclass(kind, tuple)
    return file.startswith("<attrs generated") or (from_fields and file == "<string>")
