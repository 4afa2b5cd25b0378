"""Encodes values that carry no code: numbers, text and the containers the compiler makes of them.

The type is part of the value: `1`, `1.0`, `True` and `"1"` differ, and so do `0.0` and `-0.0`.
"""

from __future__ import annotations

import struct
from typing import Any

from .framing import frame, number, text
from .naming import type_of


class NotPlainError(TypeError):
    """The value is not one of the plain types."""


def encode_scalar(value: Any) -> bytes | None:
    """Returns the encoding of a number, a text, bytes or a singleton; None for anything else."""
    kind = type_of(value)
    if value is None or value is Ellipsis or value is NotImplemented or kind is bool:
        return frame(repr(value))
    if kind is int:
        return frame("int", number(value))
    if kind is str:
        return frame("str", text(value))
    if kind is float:
        return frame("float", struct.pack("<d", value))
    if kind is complex:
        return frame("complex", struct.pack("<dd", value.real, value.imag))
    if kind is bytes or kind is bytearray:
        return frame(kind.__name__, bytes(value))
    return None


def encode_plain(value: Any) -> bytes:
    """Returns the encoding of a constant of a code object.

    Raises:
        NotPlainError: The value is of a type that the compiler does not put into code.
    """
    scalar = encode_scalar(value)
    if scalar is not None:
        return scalar
    kind = type_of(value)
    if kind is tuple:
        return frame("tuple", *map(encode_plain, value))
    if kind is frozenset:
        return frame("frozenset", *sorted(map(encode_plain, value)))
    if kind is slice:
        return frame("slice", *map(encode_plain, (value.start, value.stop, value.step)))
    raise NotPlainError(f"a constant of type `{kind.__name__}` has no encoding")
