"""Tells when a step reads from the terminal, which must then not be drawn on."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TextIO

#: What is asked of a stream by those who read from it; `input` and pdb ask for the first.
_READS = frozenset(("fileno", "read", "readline", "readlines", "buffer"))


class Watched:
    """A stream that tells when something is about to be read from it."""

    def __init__(self, stream: TextIO, reads: Callable[[], None]) -> None:
        """Takes the stream, and what is told before it is read from."""
        self.stream = stream
        self._reads = reads

    def __iter__(self) -> Any:
        self._reads()
        return iter(self.stream)

    def __next__(self) -> str:
        self._reads()
        return next(self.stream)

    def __getattr__(self, name: str) -> Any:
        if name in _READS:
            self._reads()
        return getattr(self.stream, name)


class Input:
    """Watches standard input for as long as it is entered, if that is a terminal."""

    def __init__(self, reads: Callable[[], None]) -> None:
        """Takes what is told of each reading, before it begins."""
        self._reads = reads
        self._stream: Any = None
        self._watched: Watched | None = None

    def __enter__(self) -> None:
        stream: Any = sys.stdin
        if isinstance(stream, Watched):
            stream = stream.stream  # Another thread's, which may leave before this one.
        if stream is not None and not stream.closed and stream.isatty():
            self._stream = stream
            self._watched = Watched(stream, self._reads)
            sys.stdin = self._watched

    def __exit__(self, *_: object) -> None:
        if self._watched is not None and sys.stdin is self._watched:
            sys.stdin = self._stream
