"""Tells the author's frames from Partita's own, so that errors show the author's lines alone."""

from __future__ import annotations

import os
import sys

from partita import source_root
from partita.errors import PipelineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import Any

_PACKAGE = os.path.dirname(__file__) + os.sep
_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep


def is_own(filename: str) -> bool:
    """Returns whether a file is one of this package."""
    return filename.startswith(_PACKAGE)


def is_authors(filename: str) -> bool:
    """Returns whether a file may be one of the author's: of no package and no library."""
    parts = filename.split(os.sep)
    return not (
        is_own(filename)
        or filename.startswith(("<frozen", _STANDARD_LIBRARY))
        or "site-packages" in parts
        or "dist-packages" in parts
    )


def author() -> FrameType | None:
    """Returns the nearest frame that calls this package, or `None` if nobody does."""
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage] - no other way
    while frame is not None and is_own(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def author_line() -> tuple[str, int] | None:
    """Returns the file and the line that call this package, or `None` if nobody does."""
    frame = author()
    return None if frame is None else (frame.f_code.co_filename, frame.f_lineno)


def author_location() -> dict[str, Any] | None:
    """Returns the line that calls this package as documents hold it, if anybody does."""
    line = author_line()
    return None if line is None else {"file": source_root.shown(line[0]), "line": line[1]}


def refusal(message: str) -> PipelineError:
    """Returns the error for something that the author wrote, with the line that calls."""
    line = author_line()
    return PipelineError(message if line is None else f"{_place(*line)}: {message}")


def place_of(error: BaseException) -> str | None:
    """Returns the author's innermost line that an exception passed, as `file:line`."""
    found, entry = None, error.__traceback__
    while entry is not None:
        if not is_own(entry.tb_frame.f_code.co_filename):
            found = _place(entry.tb_frame.f_code.co_filename, entry.tb_lineno)
        entry = entry.tb_next
    return found


def place_of_fault(error: BaseException) -> str | None:
    """Returns the innermost line of this package that an exception passed, as `file:line`."""
    found, entry = None, error.__traceback__
    while entry is not None:
        file = entry.tb_frame.f_code.co_filename
        if is_own(file):
            found = f"partita/{file.removeprefix(_PACKAGE)}:{entry.tb_lineno}"
        entry = entry.tb_next
    return found


def keep_to_message(error: BaseException) -> bool:
    """Takes what led to an exception off it if none of that is the author's code.

    Returns whether it was.
    """
    chain: list[BaseException] = []
    left: BaseException | None = error
    while left is not None and left not in chain:
        chain.append(left)
        left = left.__cause__ or left.__context__
    for one in chain:
        entry = one.__traceback__
        while entry is not None:
            if is_authors(entry.tb_frame.f_code.co_filename):
                return False
            entry = entry.tb_next
    error.__cause__ = None
    error.__suppress_context__ = True
    return True


def leave_out_own(error: BaseException) -> None:
    """Takes this package's frames out of an exception's traceback, and of those that led to it.

    The traceback of a fault in this package stays whole.
    """
    seen: set[int] = set()
    left: BaseException | None = error
    while left is not None and id(left) not in seen:
        seen.add(id(left))
        if not _is_fault(left):
            left.__traceback__ = _authors(left.__traceback__)
        left = left.__cause__ or left.__context__


def _is_fault(error: BaseException) -> bool:
    kind = type(error)
    if kind.__module__.partition(".")[0] == "partita" or not isinstance(error, Exception):
        return False
    entry = error.__traceback__
    while entry is not None and entry.tb_next is not None:
        entry = entry.tb_next
    return entry is not None and is_own(entry.tb_frame.f_code.co_filename)


def _authors(entry: TracebackType | None) -> TracebackType | None:
    from types import TracebackType

    kept: list[TracebackType] = []
    while entry is not None:
        if not is_own(entry.tb_frame.f_code.co_filename):
            kept.append(entry)
        entry = entry.tb_next
    made = None
    for one in reversed(kept):
        made = TracebackType(made, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return made


def _place(filename: str, line: int) -> str:
    return f"{source_root.shown(filename)}:{line}"
