"""Loads the pipeline that someone names on the command line.

A target is `file.py`, `file.py:pipeline`, or `package.module:pipeline`. The file is loaded as the
module that it is under its source root, never as `__main__`, so that what runs is what a worker or
a resumed run would import.
"""

from __future__ import annotations

import os

from partita import source_root
from partita.errors import PartitaError, PipelineError
from partita.loader import import_module, load_anonymous, put_first
from partita.pipeline import Pipeline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


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
