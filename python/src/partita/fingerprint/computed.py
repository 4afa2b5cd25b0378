"""Finds the modules that code may import under a name that it computes.

Which one it will be can't be seen, so all that the name may mean below the source root count.
"""

from __future__ import annotations

import os
import re
from itertools import islice
from typing import TYPE_CHECKING

from .modules import SOURCE, Found, SourceRoot, find

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A source root with more modules or folders than that is hardly one that somebody wrote.
MOST = 5_000


def prefix_of(argument: str | None, package: str) -> str:
    """Returns what all names begin with, where `argument` is what the computed one begins with.

    A relative name stays in the top-level package of `package`, in which the code is.
    """
    begins = re.split("[%{]", argument or "")[0]
    if begins.startswith("."):
        top = package.partition(".")[0]
        return f"{top}." if top else ""
    return begins


def candidates(root: SourceRoot, prefix: str) -> list[Found]:
    """Returns the modules below the source root whose names begin with `prefix`, by name."""
    package = prefix.rpartition(".")[0]
    found = find(package) if package else None
    places = found.search if found is not None else [] if package else [root.path]
    inside = f"{package}." if package else ""
    named = (one for place in places or () for one in _below(root, place, inside))
    return list(islice((one for one in named if one.name.startswith(prefix)), MOST))


def _below(root: SourceRoot, place: str, inside: str) -> Iterator[Found]:
    for directory, below, files in islice(os.walk(place), MOST):
        below[:] = sorted(name for name in below if _is_package(root, directory, name))
        above = os.path.relpath(directory, place)
        package = inside if above == os.curdir else f"{inside}{above.replace(os.sep, '.')}."
        for name in sorted(files):
            stem, extension = os.path.splitext(name)
            file = os.path.join(directory, name)
            if extension != ".py" or root.zone_of_file(file) != SOURCE:
                continue
            if stem == "__init__":
                if package:
                    yield Found(package[:-1], file, [directory])
            elif stem.isidentifier():
                yield Found(package + stem, file, None)


def _is_package(root: SourceRoot, directory: str, name: str) -> bool:
    """Returns whether modules in a folder can be imported, and are the author's."""
    file = os.path.join(directory, name, "__init__.py")
    return name.isidentifier() and name != "__pycache__" and root.zone_of_file(file) == SOURCE
