"""Stores the file or the directory that a path points to (format `path`).

A step that returns a path means what lies there, so the contents are copied into the artifact,
and the reader gets a path to the stored copy. Its files are read-only: they belong to every run
that uses the artifact.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import Any

from partita import _native
from partita.materializers import files
from partita.materializers.base import BaseMaterializer
from partita.materializers.errors import MaterializeError

_RECORD = "path.json"
_CONTENTS = "contents"


class PathMaterializer(BaseMaterializer):
    """Stores a copy of a file or a directory, and loads as a `pathlib.Path` to that copy."""

    FORMAT = "path"

    def save(self, data: Path) -> None:
        """Copies what the path points to.

        Raises:
            MaterializeError: Nothing is there, or something that cannot be stored: a link that
                leads out of the directory, a link to a directory, a socket or a device.
        """
        if not data.exists():
            raise MaterializeError(
                f"the path `{data}` that the step returned points to nothing: write the file "
                f"before returning, or return `str(path)` to pass on the name alone"
            )
        source = data.resolve()
        target = os.path.join(self.uri, _CONTENTS, source.name or "root")
        os.mkdir(os.path.dirname(target))
        empty: list[str] = []
        if source.is_dir():
            _copy_directory(str(source), target, inside=str(source), empty=empty)
        else:
            _copy_file(str(source), target)
        record = {
            "name": source.name or "root",
            "empty": sorted(os.path.relpath(path, target) for path in empty),
        }
        files.write(self.uri, _RECORD, _native.encode_value(record) or b"")

    def load(self, data_type: Any) -> Path:
        """Returns the path of the stored copy, which must not be changed."""
        record = _native.decode_value(files.read(self.uri, _RECORD))
        contents = Path(self.uri, _CONTENTS)
        path = contents / _inside(record["name"])
        for name in record["empty"]:
            # Object stores keep files only, so empty directories are made again.
            (path / _inside(name)).mkdir(parents=True, exist_ok=True)
        return path

    def extract_metadata(self, data: Path) -> dict[str, Any]:
        """Returns the name, the number of files and their bytes."""
        stored = [
            os.path.join(directory, name)
            for directory, _, names in os.walk(os.path.join(self.uri, _CONTENTS))
            for name in names
        ]
        return {
            "name": data.name,
            "files": len(stored),
            "bytes": sum(os.path.getsize(path) for path in stored),
        }


def _inside(name: str) -> str:
    """Returns a stored relative path, refusing one that could lead out of the artifact."""
    parts = name.split("/")
    if name.startswith("/") or "\0" in name or ".." in parts:
        raise MaterializeError(f"the stored path `{name}` leads out of its artifact")
    return name


def _copy_directory(source: str, target: str, *, inside: str, empty: list[str]) -> None:
    os.mkdir(target)
    entries = sorted(os.scandir(source), key=lambda entry: entry.name)
    if not entries:
        empty.append(target)
    for entry in entries:
        copy = os.path.join(target, entry.name)
        if entry.is_dir(follow_symlinks=False):
            _copy_directory(entry.path, copy, inside=inside, empty=empty)
        elif entry.is_symlink():
            _copy_file(_linked(entry.path, inside=inside), copy)
        else:
            _copy_file(entry.path, copy)


def _linked(link: str, *, inside: str) -> str:
    """Returns the file that a link leads to, which must lie in the same directory."""
    found = os.path.realpath(link)
    if os.path.commonpath([found, inside]) != inside:
        raise MaterializeError(
            f"the link `{link}` leads out of the directory that the step returned, to `{found}`: "
            f"put a copy of that file in its place"
        )
    if os.path.isdir(found) or not os.path.exists(found):
        what = "a directory" if os.path.isdir(found) else "nothing"
        raise MaterializeError(
            f"the link `{link}` leads to {what}, which an artifact cannot hold: put a copy in its "
            f"place, or remove it"
        )
    return found


def _copy_file(source: str, target: str) -> None:
    mode = os.stat(source).st_mode
    if not stat.S_ISREG(mode):
        raise MaterializeError(
            f"`{source}` is neither a file nor a directory, so it cannot be stored: return the "
            f"path of a regular file"
        )
    shutil.copyfile(source, target)
    os.chmod(target, 0o555 if mode & stat.S_IXUSR else 0o444)
