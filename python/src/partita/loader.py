"""Loads the author's modules as their files are now, whatever Python compiled of them before.

Python takes compiled code for that of a source with the same size and the same second of change.
It would miss an edit that keeps the size, in the second in which the source was compiled. Here,
compiled code is read and written only once the second of the source's last change is over.
"""

from __future__ import annotations

import os
import sys
import time
from _frozen_importlib import __import__ as load  # `importlib` is two modules more.
from _frozen_importlib_external import (  # What `importlib.machinery` has, which takes its time.
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)

from partita import source_root
from partita.errors import PartitaError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.abc import PathEntryFinder
    from types import ModuleType
    from typing import Any


#: Whether a file is being loaded because someone asked for a pipeline in it.
loading = False


class AuthorError(Exception):
    """The author's own code failed while it was loaded; `__cause__` is what it raised."""


class AuthorLoader(SourceFileLoader):
    """A loader of source files that no stale compiled code gets past."""

    def get_data(self, path: str) -> bytes:
        """Returns the content of the source, or of its compiled code if that can be relied on."""
        if path != self.path and not self._is_settled(os.stat(path).st_mtime):
            raise OSError(f"`{path}` may be older than its source")
        return super().get_data(path)

    def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
        """Writes compiled code, if whoever reads it can rely on it."""
        if self._is_settled(time.time()):
            super().set_data(path, data, _mode=_mode)

    def _is_settled(self, moment: float) -> bool:
        return moment >= int(os.stat(self.path).st_mtime) + 1


def import_module(name: str, shown: str, *, root: str | None = None) -> ModuleType:
    """Imports a module of the author; `shown` is what messages call it.

    Raises:
        PartitaError: There is none of this name.
        AuthorError: It cannot be loaded.
    """
    try:
        _execute(load, name, shown)
    except AuthorError as error:
        missing = getattr(error.__cause__, "name", None)
        if not isinstance(error.__cause__, ModuleNotFoundError) or missing is None:
            raise
        if name != missing and not name.startswith(f"{missing}."):
            raise
        place = "the source root" if root is None else source_root.described(root)
        raise PartitaError(
            f"there is no module `{name}` in {place} or the environment; check the target, or "
            "name a file: `file.py:pipeline`."
        ) from None
    return sys.modules[name]


def load_anonymous(name: str, path: str) -> ModuleType:
    """Loads a file whose name no import statement could say, or that another module hides."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(name, path, loader=AuthorLoader(name, path))
    if spec is None or spec.loader is None:
        raise PartitaError(f"`{path}` cannot be loaded as Python.")
    module = module_from_spec(spec)
    sys.modules[name] = module
    _execute(spec.loader.exec_module, module, path)
    return module


def _execute(work: Callable[[Any], object], what: Any, shown: str) -> None:
    """Does what executes the author's code; whatever that raises is an `AuthorError`."""
    global loading
    loading = True
    try:
        work(what)
    except PartitaError:
        raise
    except (Exception, SystemExit) as error:
        raise AuthorError(shown) from error
    finally:
        loading = False


def put_first(root: str, *below: str) -> None:
    """Has modules of a source root found before all others, as their files are now.

    Those of folders `below` it come before its own.
    """
    _use_below(root)
    for folder in (root, *below):
        if folder in sys.path:
            sys.path.remove(folder)
        sys.path.insert(0, folder)


def _use_below(root: str) -> None:
    """Makes every import from a folder at or below `root` load files as they are now."""
    find = FileFinder.path_hook(
        (ExtensionFileLoader, EXTENSION_SUFFIXES),
        (AuthorLoader, SOURCE_SUFFIXES),
        (SourcelessFileLoader, BYTECODE_SUFFIXES),
    )

    def hook(folder: str) -> PathEntryFinder:
        if not _is_below(folder, root):
            raise ImportError(folder)
        return find(folder)

    sys.path_hooks.insert(0, hook)
    for folder in list(sys.path_importer_cache):
        if _is_below(folder, root):
            del sys.path_importer_cache[folder]


def _is_below(folder: str, root: str) -> bool:
    return folder == root or folder.startswith(root.rstrip(os.sep) + os.sep)
