"""Records what a step prints, while it goes where it always went."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TextIO


class Tee:
    """A stream that writes to another one and tells a log."""

    def __init__(self, stream: TextIO, log: Callable[[str], None]) -> None:
        self._stream = stream
        self._log = log

    def write(self, text: str) -> int:
        """Writes and records text."""
        self._log(text)
        return self._stream.write(text)

    def writelines(self, lines: Any) -> None:
        """Writes and records several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Capture:
    """Records standard output and standard error for as long as it is entered."""

    def __init__(self, log: Callable[[str, str], None]) -> None:
        """Takes what is told of each text: the stream's name and the text."""
        self._log = log

    def __enter__(self) -> None:
        self._streams = (sys.stdout, sys.stderr)
        sys.stdout = Tee(sys.stdout, lambda text: self._log("stdout", text))
        sys.stderr = Tee(sys.stderr, lambda text: self._log("stderr", text))

    def __exit__(self, *_: object) -> None:
        # A step that put streams of its own in place and left them there would silence the next.
        sys.stdout, sys.stderr = self._streams
