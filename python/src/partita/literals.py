"""Stores values that a pipeline passes to a step and that documents cannot hold."""

from __future__ import annotations

from partita import _native, context, materializers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def save_literal(
    pipeline: str, literals: _native.Literals, place: str, value: Any
) -> dict[str, Any]:
    """Stores a value, such as a `Path` or a dataclass, and returns its artifact version.

    Raises:
        MaterializeError: It cannot be stored.
    """
    staging = literals.stage(f"{pipeline}.{place}")
    saved = materializers.save(value, staging.folder)
    metadata = _native.encode_value(context.plain(saved.metadata)) or b"{}"
    document = staging.publish(saved.type_name, saved.format, metadata)
    return _native.decode_value(document)
