"""Knows where a module comes from: the author's source root, a distribution, Python, or elsewhere.

Only modules of the source root are looked into; the others count by version or by file.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, PathFinder
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from types import ModuleType

SOURCE, DISTRIBUTION, STANDARD, OUTSIDE = "source", "distribution", "standard", "outside"
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_STANDARD_LIBRARY = os.path.realpath(os.path.dirname(os.__file__))


class Found(NamedTuple):
    """A module that is there to be imported, found without running it."""

    name: str
    file: str | None
    search: list[str] | None


class SourceRoot:
    """The directory that holds the author's code, and the names of the modules in it."""

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(path)
        self._zones: dict[str, str] = {}
        self._environments: dict[str, bool] = {}

    def zone(self, module: ModuleType) -> str:
        """Returns which of the four zones `module` belongs to."""
        name = str(getattr(module, "__name__", ""))
        if name.partition(".")[0] == "partita":
            return STANDARD  # its behaviour is versioned by the documents it writes, not by the key
        file = module_file(module)
        if file is not None:
            return self.zone_of_file(file, name)
        if name == "__main__":
            return SOURCE  # a notebook or `-c`: there is no file, but the objects are the author's
        for place in getattr(module, "__path__", ()):
            return self.zone_of_file(os.path.join(str(place), "__init__.py"), name)
        top = name.partition(".")[0]
        parent = sys.modules.get(top)
        if top in sys.stdlib_module_names or parent is None or parent is module:
            return STANDARD if top in sys.stdlib_module_names else OUTSIDE
        return self.zone(parent)

    def zone_of_file(self, file: str, name: str = "") -> str:
        """Returns the zone of the module `name` in `file`."""
        if file not in self._zones:
            self._zones[file] = self._find_zone(os.path.realpath(file), name)
        return self._zones[file]

    def _find_zone(self, file: str, name: str) -> str:
        if not _INSTALLED.isdisjoint(file.split(os.sep)):
            return DISTRIBUTION
        if file.startswith(_STANDARD_LIBRARY + os.sep):
            return STANDARD
        if self._in_environment(os.path.dirname(file)):
            return DISTRIBUTION
        if self.holds(file):
            return SOURCE
        return STANDARD if name.partition(".")[0] in sys.stdlib_module_names else OUTSIDE

    def holds(self, file: str) -> bool:
        """Returns whether `file` lies under the source root."""
        return file.startswith(self.path.rstrip(os.sep) + os.sep)

    def _in_environment(self, directory: str) -> bool:
        """Returns whether `directory` is part of a virtual environment below the source root."""
        if not self.holds(directory):
            return False
        if directory not in self._environments:
            marked = os.path.exists(os.path.join(directory, "pyvenv.cfg"))
            above = os.path.dirname(directory)
            self._environments[directory] = marked or self._in_environment(above)
        return self._environments[directory]

    def relative(self, file: str) -> str:
        """Returns `file` as the author would name it: below the source root, with slashes."""
        real = os.path.realpath(file)
        shown = os.path.relpath(real, self.path) if self.holds(real) else file
        return shown.replace(os.sep, "/")

    def name(self, module_name: str) -> str:
        """Returns the name that `module_name` has in parts; a script has that of its file."""
        if module_name != "__main__":
            return module_name
        main = sys.modules.get("__main__")
        spec: Any = getattr(main, "__spec__", None)
        if spec is not None and spec.name != "__main__":
            return str(spec.name)
        file = module_file(main) if main is not None else None
        if file is None or not self.holds(os.path.realpath(file)):
            return "__main__"
        stem = os.path.splitext(self.relative(file))[0].replace("/", ".")
        return stem.removesuffix(".__init__")


def module_file(module: ModuleType) -> str | None:
    """Returns the file that `module` was loaded from, if any; of a cached one, its source."""
    file = getattr(module, "__file__", None)
    return os.path.abspath(file) if isinstance(file, str) else None


def is_compiled(module: ModuleType) -> bool:
    """Returns whether `module` is an extension: what its functions do is in its file alone."""
    file = module_file(module)
    return file is not None and file.endswith(tuple(EXTENSION_SUFFIXES))


def find(name: str) -> Found | None:
    """Finds a module that is not loaded, without importing it or any of its packages."""
    search: list[str] | None = None
    place: Found | None = None
    parts = name.split(".")
    for index in range(len(parts)):
        partial = ".".join(parts[: index + 1])
        spec = PathFinder.find_spec(partial, search)
        if spec is None:
            return None
        locations = spec.submodule_search_locations
        search = list(locations) if locations is not None else []
        file = spec.origin if spec.has_location else None
        place = Found(partial, file, list(locations) if locations is not None else None)
    return place


def absolute(name: str, level: int, package: str) -> str:
    """Returns the full name of the module that a relative import of `name` means in `package`."""
    if level == 0:
        return name
    base = package.rsplit(".", level - 1)[0] if level > 1 else package
    return f"{base}.{name}" if name else base
