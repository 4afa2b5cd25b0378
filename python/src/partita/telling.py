"""Says what Partita itself has to say, whoever still listens."""

from __future__ import annotations

import errno
import sys

from partita.errors import PartitaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

#: Why a stream cannot be written to: nobody reads it, or the disk that it leads to is full.
GONE = (errno.EPIPE, errno.EIO)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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


def show(data: bytes) -> None:
    """Writes to standard output what somebody asked to see; they may have seen enough.

    Raises:
        PartitaError: It cannot be written to.
    """
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except OSError as error:
        silence(sys.stdout)
        if error.errno not in GONE:
            raise PartitaError(
                f"standard output cannot be written to: {error.strerror}; see what it leads to."
            ) from None


def silence(stream: TextIO) -> None:
    """Points a stream to nowhere, with what it still holds."""
    import os

    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return  # It is none of the system's; each write fails and is ignored.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
