"""Small plain values, which need no materializer: they are kept inside of documents."""

from __future__ import annotations

import sys

from partita import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_INLINE_BYTES = 4 * 1024
"""Bytes up to this length are stored in the `json` format."""

MAX_INLINE_TEXT = 64 * 1024
"""Texts up to this many characters are stored in the `json` format."""


def is_too_long(value: Any) -> bool:
    """Returns whether a value is a text, or bytes, that is better kept as it is."""
    kind = value.__class__
    if kind is str:
        return len(value) > MAX_INLINE_TEXT
    return kind is bytes and len(value) > MAX_INLINE_BYTES


def save_inline(value: Any) -> bytes | None:
    """Returns the bytes of a small plain value, to be kept inside the result document.

    They are what the `json` format would write to `data.json`. `None` means that the value needs
    files: use `save`.
    """
    if is_too_long(value):
        return None
    base = sys.modules.get("partita.materializers.base")  # Whoever has a subclass has loaded it.
    if base is not None and base.own_for(type(value)) is not None:
        return None
    try:
        return _native.encode_value(value)
    except ValueError:
        return None
