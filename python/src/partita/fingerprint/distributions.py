"""Finds the installed distribution that a module's file belongs to, and its version.

`importlib.metadata.packages_distributions` reads every record of every distribution. This looks at
the distribution of the same name first, checks in its record that it owns the file, and reads the
others only if it does not.
"""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

_INSTALLED = ("site-packages", "dist-packages")
# Distributions that are named unlike their package; a guess that saves the scan, always verified.
_KNOWN_AS = {
    "PIL": "pillow",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


class Distribution(NamedTuple):
    """An installed distribution, as its own metadata names it."""

    name: str
    version: str


class _Editable(NamedTuple):
    place: str
    distribution: Distribution


_owners: dict[tuple[str, str], Distribution | None] = {}
_metadata: dict[str, dict[str, list[str]]] = {}
_editables: dict[tuple[str, ...], list[_Editable]] = {}


def owner(file: str) -> Distribution | None:
    """Returns the distribution whose installation put `file` there, if there is one."""
    base = _base(file)
    if base is None:
        return _editable_owner(file)
    inside = os.path.relpath(file, base).replace(os.sep, "/")
    # A package of one directory belongs to one distribution, unless it is a namespace package.
    top = inside.split("/")[0]
    plain = os.path.exists(os.path.join(base, top, "__init__.py"))
    key = (base, top if plain else inside)
    if key not in _owners:
        _owners[key] = _find_owner(base, inside, top)
    return _owners[key]


def _base(file: str) -> str | None:
    """Returns the directory that `file` was installed into."""
    parts = file.split(os.sep)
    for index in range(len(parts) - 2, 0, -1):
        if parts[index] in _INSTALLED:
            return os.sep.join(parts[: index + 1])
    return None


def _find_owner(base: str, inside: str, top: str) -> Distribution | None:
    known = _metadata_of(base)
    package = top.split(".")[0]
    likely = [
        directory
        for name in (package, _KNOWN_AS.get(package, package), inside.replace("/", "-"))
        for directory in known.get(_normalised(name), [])
    ]
    others = [directory for group in known.values() for directory in group]
    ordered = list(dict.fromkeys(likely + others))
    for claims, wanted in ((_records, inside), (_claims_package, package)):
        for directory in ordered:
            if claims(directory, wanted):
                return _read_header(directory)
    return _read_header(likely[0]) if likely else None


def _metadata_of(base: str) -> dict[str, list[str]]:
    """Returns the metadata in `base`, by normalised name of the distribution."""
    if base not in _metadata:
        found: dict[str, list[str]] = {}
        try:
            entries = sorted(os.listdir(base))
        except OSError:
            entries = []
        for entry in entries:
            stem, extension = os.path.splitext(entry)
            if extension in (".dist-info", ".egg-info"):
                name = _normalised(stem.split("-")[0])
                found.setdefault(name, []).append(os.path.join(base, entry))
        _metadata[base] = found
    return _metadata[base]


def _normalised(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _records(directory: str, inside: str) -> bool:
    """Returns whether the record of a distribution lists the very file."""
    record = b"\n" + _read(os.path.join(directory, "RECORD"))
    if f"\n{inside},".encode() in record:
        return True
    # What `setup.py` installs lists its files relative to the metadata.
    listed = _read(os.path.join(directory, "installed-files.txt")).splitlines()
    return f"../{inside}".encode() in listed


def _claims_package(directory: str, package: str) -> bool:
    """Returns whether a distribution says that it brings the top-level package."""
    if package.encode() in _read(os.path.join(directory, "top_level.txt")).split():
        return True
    return f"\n{package}/".encode() in b"\n" + _read(os.path.join(directory, "RECORD"))


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError:
        return b""


def _read_header(directory: str) -> Distribution:
    """Returns name and version as the metadata has them, else as its directory is named."""
    stem = os.path.splitext(os.path.basename(directory))[0]
    fields = dict(zip(("Name", "Version"), [*stem.split("-"), "unknown"], strict=False))
    for name in ("METADATA", "PKG-INFO", ""):
        for line in _read(os.path.join(directory, name) if name else directory).splitlines():
            if not line.strip():
                break
            key, _, value = line.decode("utf-8", "replace").partition(":")
            if key in fields:
                fields[key] = value.strip()
    return Distribution(fields["Name"], fields["Version"])


def _editable_owner(file: str) -> Distribution | None:
    """Returns the distribution that is installed in place, with `file` in it."""
    real = os.path.realpath(file)
    for editable in _editable_installs():
        if real.startswith(editable.place + os.sep):
            return editable.distribution
    return None


def _editable_installs() -> list[_Editable]:
    key = tuple(sys.path)
    if key not in _editables:
        found: list[_Editable] = []
        for base in key:
            for directories in _metadata_of(base or os.getcwd()).values():
                found.extend(filter(None, map(_editable_at, directories)))
        # The innermost project is the one that a file belongs to.
        _editables[key] = sorted(found, key=lambda item: -len(item.place))
    return _editables[key]


def _editable_at(directory: str) -> _Editable | None:
    content = _read(os.path.join(directory, "direct_url.json"))
    if b"editable" in content:
        import json
        from urllib.parse import unquote, urlsplit

        try:
            origin = json.loads(content)
            address = urlsplit(str(origin["url"]))
            in_place = origin["dir_info"]["editable"] is True and address.scheme == "file"
        except (ValueError, KeyError, TypeError):
            return None
        place = os.path.realpath(unquote(address.path))
        return _Editable(place, _read_header(directory)) if in_place else None
    above = os.path.dirname(directory)
    if directory.endswith(".egg-info") and os.path.basename(above) not in _INSTALLED:
        return _Editable(os.path.realpath(above), _read_header(directory))
    return None
