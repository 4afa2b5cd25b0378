"""Encodes what makes a pydantic model beside its methods: fields, private attributes, decorators.

Representations of such objects hold addresses, and sets in any order; so they are taken apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .framing import frame, text
from .naming import type_of

if TYPE_CHECKING:
    from .lookup import Context
    from .values import Encoder

_ENCODED_APART = frozenset({"annotation", "default", "default_factory", "metadata"})


def encode(kind: type, encoder: Encoder, context: Context) -> list[bytes]:
    """Returns what pydantic keeps of the body of a class, encoded; nothing for other classes."""
    held = vars(kind)
    return [
        *(
            _field(name, field, encoder, context)
            for name, field in held.get("__pydantic_fields__", {}).items()
        ),
        *(
            frame("private", text(name), *_defaults(attribute, encoder))
            for name, attribute in held.get("__private_attributes__", {}).items()
        ),
        *_decorators(held.get("__pydantic_decorators__"), encoder),
    ]


def default(value: Any, encoder: Encoder) -> bytes:
    """Returns the encoding of a default, which may be missing."""
    kind = type_of(value)
    if kind.__module__ == "dataclasses" or kind.__name__ == "PydanticUndefinedType":
        return frame("no default")
    return encoder.encode(value)


def _field(name: str, field: Any, encoder: Encoder, context: Context) -> bytes:
    shown = [
        frame("setting", text(key), setting(value, encoder))
        for key, value in field.__repr_args__()
        if key is not None and key not in _ENCODED_APART
    ]
    return frame(
        "field",
        text(name),
        encoder.annotation(field.annotation, context),
        *_defaults(field, encoder),
        frame("metadata", *(setting(item, encoder) for item in field.metadata)),
        frame("settings", *shown),
    )


def _defaults(holder: Any, encoder: Encoder) -> tuple[bytes, bytes]:
    return default(holder.default, encoder), default(holder.default_factory, encoder)


def _decorators(decorators: Any, encoder: Encoder) -> list[bytes]:
    """Encodes to which fields validators and serializers belong, and how they are called."""
    return [
        frame("decorated", text(group), text(name), setting(decorator.info, encoder))
        for group, members in sorted(_parts(decorators).items())
        for name, decorator in members.items()
    ]


def is_setting(value: Any) -> bool:
    """Returns whether `value` is a constraint or an option of pydantic's own making."""
    library = type_of(value).__module__.partition(".")[0] in ("pydantic", "annotated_types")
    return library and not isinstance(value, type)


def setting(value: Any, encoder: Encoder) -> bytes:
    """Encodes a constraint or an option; one of a library by its class and what it holds."""
    kind = type_of(value)
    if kind.__name__ == "PydanticUndefinedType" or isinstance(value, property):
        return frame("unset")
    if not is_setting(value):
        return encoder.encode(value)
    parts = _parts(value)
    fields = (frame("part", text(key), setting(parts[key], encoder)) for key in sorted(parts))
    return frame("setting of", text(kind.__qualname__), *fields)


def _parts(value: Any) -> dict[str, Any]:
    """Returns the fields of an object of a library, be they slots or not."""
    names = {*getattr(value, "__dict__", {}), *getattr(type_of(value), "__dataclass_fields__", {})}
    return {name: getattr(value, name) for name in names if hasattr(value, name)}
