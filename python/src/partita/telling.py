"""Says what Partita itself has to say, whoever still listens."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def tell(message: str) -> None:
    """Says something on standard error; that nobody can read it is no reason to fail."""
    import contextlib

    # It is no step that says it, so it goes into no step's log.
    capture = sys.modules.get("partita.capture")
    is_captured = capture is not None and isinstance(sys.stderr, capture.Tee)
    stream: Any = sys.stderr
    if is_captured:
        stream = stream.stream
    if stream is not None:
        with contextlib.suppress(OSError, ValueError):
            print(message, file=stream, flush=True)
