"""Standard output and standard error, which may lead nowhere."""

from __future__ import annotations

import errno
import os
import sys

from partita.errors import PartitaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

#: Why a stream cannot be written to: nobody reads it, or the disk that it leads to is full.
GONE = (errno.EPIPE, errno.EIO)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


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
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return  # It is none of the system's; each write fails and is ignored.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
