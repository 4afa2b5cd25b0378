"""Records what a step prints, while it goes where it always went."""

from __future__ import annotations

import errno
import sys
from _thread import RLock

from partita.errors import PartitaError
from partita.per_thread import mine, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TextIO

#: The captures that are entered, by the thread that entered them.
_entered: dict[int, Capture] = {}
_lock = RLock()
_streams: tuple[TextIO | None, TextIO | None] | None = None

#: Why a stream cannot be written to: nobody reads it, or the disk that it leads to is full.
GONE = (errno.EPIPE, errno.EIO)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Tee:
    """A stream that writes to another one and tells the capture of the thread that writes.

    A reader of the other one who goes away is no failure of the step: the record goes on.
    """

    def __init__(self, stream: TextIO | None, name: str) -> None:
        """Takes the stream, or `None` where the process was started without it."""
        self.stream = stream
        self._name = name

    def write(self, text: str) -> int:
        """Writes and records text."""
        capture = mine(_entered)
        if capture is None:
            return self._put(text)
        capture.has_printed = True
        try:
            capture.log(self._name, text)
        except UnicodeEncodeError:  # A lone surrogate, which the stream itself may let pass.
            capture.log(self._name, text.encode("utf-8", "backslashreplace").decode())
        try:
            return self._put(text)
        finally:
            capture.printed(self._name)

    def _put(self, text: str) -> int:
        if self.stream is None:
            return len(text)
        try:
            return self.stream.write(text)
        except OSError as error:
            _discard(self.stream, self._name, error)
            return len(text)

    def writelines(self, lines: Any) -> None:
        """Writes and records several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Writes out what is buffered."""
        if self.stream is None:
            return
        try:
            self.stream.flush()
        except OSError as error:
            _discard(self.stream, self._name, error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class Capture:
    """Records standard output and standard error for as long as it is entered.

    Pipelines in several threads may each enter one.
    """

    def __init__(self, log: Callable[[str, str], None], printed: Callable[[str], None]) -> None:
        """Takes what is told of each text before it is written, and of its stream afterwards."""
        self.log = log
        self.printed = printed
        self.has_printed = False
        self._outer: Capture | None = None

    def __enter__(self) -> None:
        global _streams
        with _lock:
            if not _entered:
                _streams = (sys.stdout, sys.stderr)
                sys.stdout = Tee(sys.stdout, "stdout")
                sys.stderr = Tee(sys.stderr, "stderr")
            self._outer = replace(_entered, self)

    def __exit__(self, *_: object) -> None:
        if self.has_printed:  # What a step prints is seen when it ends, not when the process does.
            for stream in (sys.stdout, sys.stderr):
                if isinstance(stream, Tee):
                    stream.flush()
        with _lock:
            replace(_entered, self._outer)
            # Streams that a step put in place and left there would silence the next one.
            if not _entered and _streams is not None:
                sys.stdout, sys.stderr = _streams


def tell(message: str) -> None:
    """Says something on standard error; that nobody can read it is no reason to fail."""
    import contextlib

    # It is no step that says it, so it goes into no step's log.
    stream = sys.stderr.stream if isinstance(sys.stderr, Tee) else sys.stderr
    if stream is not None:  # pyright: ignore[reportUnnecessaryComparison] - where it is closed
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
        _silence(sys.stdout)
        if error.errno not in GONE:
            raise PartitaError(
                f"standard output cannot be written to: {error.strerror}; see what it leads to."
            ) from None


def _discard(stream: TextIO, name: str, error: OSError) -> None:
    """Lets a stream whose reader is gone, or whose disk is full, go nowhere, and says so.

    Raises:
        OSError: It cannot be written to for another reason.
    """
    if error.errno not in (*GONE, *FULL):
        raise error
    _silence(stream)
    if name == "stdout":
        why = (
            "nobody reads standard output any more"
            if error.errno in GONE
            else f"standard output cannot be written to any more ({error.strerror})"
        )
        tell(f"warning: {why}; the run goes on, and its logs have what its steps print.")


def _silence(stream: TextIO) -> None:
    """Points a stream to nowhere, with what it still holds."""
    import os

    try:
        descriptor = stream.fileno()
    except (OSError, ValueError, AttributeError):
        return  # It is none of the system's; each write fails and is ignored.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
