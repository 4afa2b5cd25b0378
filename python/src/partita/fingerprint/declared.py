"""Digests the files that an author declares as part of a step."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from .digest import digest
from .framing import frame, text

if TYPE_CHECKING:
    from .modules import SourceRoot

# A file changed this recently may change again without its time stamp moving, in nanoseconds.
_SETTLED_AFTER = 2_000_000_000

_State = tuple[int, int, int]
_known: dict[str, tuple[_State, str]] = {}


class MissingFileError(FileNotFoundError):
    """A declared file is not there."""


def digest_files(files: tuple[str, ...], root: SourceRoot) -> dict[str, str]:
    """Returns the digest of each declared file and directory, by its name below the source root.

    Raises:
        MissingFileError: There is nothing at one of the places.
    """
    digests: dict[str, str] = {}
    for declared in files:
        path = os.path.join(root.path, declared)
        if os.path.isdir(path):
            digests[root.relative(path)] = _digest_directory(path)
        elif os.path.exists(path):
            digests[root.relative(path)] = _digest_file(path)
        else:
            raise MissingFileError(
                f"The file `{declared}`, declared as part of a step, is not at `{path}`: "
                "create it, correct its name (names are relative to the source root), "
                "or take it out of the step's list of files."
            )
    return digests


def _digest_directory(path: str) -> str:
    """Returns one digest for the names and contents of all files below a directory."""
    entries: list[bytes] = []
    for directory, below, names in os.walk(path):
        below.sort()
        for name in sorted(names):
            file = os.path.join(directory, name)
            inside = os.path.relpath(file, path).replace(os.sep, "/")
            entries.append(frame("entry", text(inside), _digest_file(file).encode()))
    return digest(frame("directory", *entries))


def _digest_file(path: str) -> str:
    """Returns the digest of a file, kept for as long as the file is the same."""
    status = os.stat(path)
    state = (status.st_mtime_ns, status.st_size, status.st_ino)
    held = _known.get(path)
    if held is not None and held[0] == state:
        return held[1]
    with open(path, "rb") as stream:
        made = digest(frame("file", stream.read()))
    if time.time_ns() - status.st_mtime_ns > _SETTLED_AFTER:
        _known[path] = (state, made)
    return made
