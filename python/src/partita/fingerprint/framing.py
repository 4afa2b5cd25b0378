"""The encoding that everything fingerprinted goes through: typed and length-prefixed.

Text that is glued together collides (`"1" + "2b3"` and `"1b2" + "3"`); frames cannot, because each
one says what it is, how many fields follow and how long every field is.
"""

from __future__ import annotations

_LENGTH = 8


def frame(tag: str, *fields: bytes) -> bytes:
    """Returns `fields` as one self-delimiting frame of the type `tag`."""
    head = tag.encode()
    pieces = [len(head).to_bytes(1, "little"), head, len(fields).to_bytes(_LENGTH, "little")]
    for field in fields:
        pieces.append(len(field).to_bytes(_LENGTH, "little"))
        pieces.append(field)
    return b"".join(pieces)


def text(value: str) -> bytes:
    """Returns `value` as bytes; lone surrogates are kept apart instead of refused."""
    return value.encode("utf-8", "surrogatepass")


def number(value: int) -> bytes:
    """Returns an integer of any size as bytes."""
    return hex(value).encode()
