"""Stores values that a pipeline passes to a step and that documents cannot hold."""

from __future__ import annotations

from partita import _native, context, frames, materializers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from partita import _engine


def save_literal(
    pipeline: str, source_root: str, literals: _engine.Literals, place: str, value: Any
) -> dict[str, Any]:
    """Stores a value, such as a `Path` or a dataclass, and returns its artifact version.

    Raises:
        MaterializeError: It cannot be stored.
    """
    from partita.fingerprint.held import code_of

    staging = literals.stage(f"{pipeline}.{place}")
    caller = frames.author()
    line = (caller.f_code.co_filename, caller.f_lineno) if caller is not None else None
    saved = materializers.save(value, staging.folder, place=line)
    metadata = _native.encode_value(context.plain(saved.metadata)) or b"{}"
    document = staging.publish(saved.type_name, saved.format, code_of(value, source_root), metadata)
    return _native.decode_value(document)
