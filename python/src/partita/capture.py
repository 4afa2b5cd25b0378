"""Records what a step prints, while it goes where it always went."""

from __future__ import annotations

import sys
from _thread import RLock

from partita.per_thread import mine, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TextIO

#: The captures that are entered, by the thread that entered them.
_entered: dict[int, Capture] = {}
_lock = RLock()
_streams: tuple[TextIO, TextIO] | None = None


class Tee:
    """A stream that writes to another one and tells the capture of the thread that writes."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream = stream
        self._name = name

    def write(self, text: str) -> int:
        """Writes and records text."""
        capture = mine(_entered)
        if capture is not None:
            try:
                capture.log(self._name, text)
            except UnicodeEncodeError:  # A lone surrogate, which the stream itself may let pass.
                capture.log(self._name, text.encode("utf-8", "backslashreplace").decode())
        return self._stream.write(text)

    def writelines(self, lines: Any) -> None:
        """Writes and records several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Capture:
    """Records standard output and standard error for as long as it is entered.

    Pipelines in several threads may each enter one.
    """

    def __init__(self, log: Callable[[str, str], None]) -> None:
        """Takes what is told of each text: the stream's name and the text."""
        self.log = log
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
        with _lock:
            replace(_entered, self._outer)
            # Streams that a step put in place and left there would silence the next one.
            if not _entered and _streams is not None:
                sys.stdout, sys.stderr = _streams
