"""Loads the pipeline that someone names on the command line.

A target is `file.py`, `file.py:pipeline`, or `package.module:pipeline`. The file is loaded as the
module that it is under its source root, never as `__main__`, so that what runs is what a worker or
a resumed run would import.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib import __import__ as load  # `importlib` is two modules more.

from partita import loader, source_root
from partita.errors import PartitaError, PipelineError
from partita.pipeline import Pipeline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


class AuthorError(Exception):
    """The author's own code failed while it was loaded; `__cause__` is what it raised."""


def find(target: str, *, root: str | None = None) -> Pipeline:
    """Returns the pipeline that `target` names.

    Raises:
        PartitaError: There is no such file or pipeline, or the name is missing and needed.
        AuthorError: The file cannot be loaded.
    """
    place, _, name = target.rpartition(":") if ":" in target else (target, "", "")
    if not place:
        raise PartitaError(
            f"the target `{target}` names nothing; write `file.py`, `file.py:pipeline` or "
            "`package.module:pipeline`."
        )
    if place.endswith(".py"):
        module = _load_file(place)
    else:
        folder = root or source_root.find()
        put_first(folder, os.getcwd() if root is None else folder)
        module = import_module(place, place, root=folder)
    return _pick(module, name, place)


def _load_file(path: str) -> ModuleType:
    if not os.path.isfile(path):
        raise PartitaError(f"there is no file `{path}`; check the path of the target.")
    root = source_root.find(path)
    put_first(root, os.path.dirname(os.path.abspath(path)))
    name = source_root.name_of_file(path, root)
    if not all(part.isidentifier() for part in name.split(".")):
        return load_anonymous(name, path)
    module = import_module(name, path)
    loaded = getattr(module, "__file__", None)
    if loaded is None or not os.path.samefile(loaded, path):
        return load_anonymous(name, path)
    return module


def import_module(name: str, shown: str, *, root: str | None = None) -> ModuleType:
    """Imports a module of the author; `shown` is what messages call it.

    Raises:
        PartitaError: There is none of this name.
        AuthorError: It cannot be loaded.
    """
    loader.loading = True
    try:
        load(name)
        return sys.modules[name]
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            place = "the source root" if root is None else source_root.described(root)
            raise PartitaError(
                f"there is no module `{name}` in {place} or the environment; check the target, or "
                "name a file: `file.py:pipeline`."
            ) from None
        raise AuthorError(shown) from error
    except PartitaError:
        raise
    except (Exception, SystemExit) as error:
        raise AuthorError(shown) from error
    finally:
        loader.loading = False


def load_anonymous(name: str, path: str) -> ModuleType:
    """Loads a file whose name no import statement could say, or that another module hides."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(name, path, loader=loader.AuthorLoader(name, path))
    if spec is None or spec.loader is None:
        raise PartitaError(f"`{path}` cannot be loaded as Python.")
    module = module_from_spec(spec)
    sys.modules[name] = module
    loader.loading = True
    try:
        spec.loader.exec_module(module)
    except PartitaError:
        raise
    except (Exception, SystemExit) as error:
        raise AuthorError(path) from error
    finally:
        loader.loading = False
    return module


def put_first(root: str, *below: str) -> None:
    """Has modules of a source root found before all others, as their files are now.

    Those of folders `below` it come before its own.
    """
    loader.use_below(root)
    for folder in (root, *below):
        if folder in sys.path:
            sys.path.remove(folder)
        sys.path.insert(0, folder)


def _pick(module: ModuleType, name: str, place: str) -> Pipeline:
    found: dict[str, Pipeline] = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, Pipeline) and value.entrypoint.__module__ == module.__name__
    }
    if not name:
        if len(found) == 1:
            return next(iter(found.values()))
        if not found:
            raise PipelineError(
                f"there is no pipeline in `{place}`; put `@pipeline` above the function that calls "
                "your steps."
            )
        raise PipelineError(
            f"there are several pipelines in `{place}`; name one of them: "
            + ", ".join(f"`{place}:{key}`" for key in sorted(found))
        )
    value: Any = vars(module).get(name)
    if isinstance(value, Pipeline):
        return value
    for candidate in found.values():
        if name in (candidate.name, candidate.entrypoint.__qualname__):
            return candidate
    known = f"it has `{'`, `'.join(sorted(found))}`" if found else "it has none"
    raise PipelineError(f"there is no pipeline `{name}` in `{place}`; {known}.")
