"""The one place where a fingerprint becomes bytes of a digest.

The engine owns the hash function, so that Python and Rust can never disagree about it.
"""

from __future__ import annotations


def digest(data: bytes) -> str:
    """Returns the BLAKE3 digest of `data`, as lower-case hexadecimal."""
    from partita import _native

    return _native.digest(data)
