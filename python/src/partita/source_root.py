"""Finds the root of the author's code, and what its modules are called under it."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MARK = ".partita"


def find(start: str | None = None) -> str:
    """Returns the source root for a file or folder.

    That is the nearest folder above it that `partita init` has marked, else the folder itself.

    Raises:
        PartitaError: The marked folder belongs to another user.
    """
    folder = os.path.abspath(start or os.getcwd())
    if os.path.isfile(folder):
        folder = os.path.dirname(folder)
    parent = folder
    while True:
        mark = os.path.join(parent, MARK)
        if os.path.isdir(mark):
            _refuse_other_owner(parent, mark)
            return parent
        if os.path.dirname(parent) == parent:
            return folder
        parent = os.path.dirname(parent)


def described(root: str) -> str:
    """Returns what messages call a source root, and how it came to be one."""
    if os.path.isdir(os.path.join(root, MARK)):
        return f"the source root `{root}`"
    return f"`{root}`, which is no source root (`partita init` marks one),"


def _refuse_other_owner(root: str, mark: str) -> None:
    owner = os.stat(mark).st_uid
    if owner not in (os.getuid(), 0):
        from partita.errors import PartitaError

        raise PartitaError(
            f"the source root `{root}` belongs to another user (uid {owner}), whose code and "
            f"configuration would run as you; copy it, or make its folder `{MARK}` your own."
        )


def of_function(function: Callable[..., Any]) -> str:
    """Returns the source root of the code that defines a function."""
    file = function.__code__.co_filename
    return find(file if os.path.isfile(file) else None)


def module_name(function: Callable[..., Any], root: str) -> str:
    """Returns the module of a function as it can be imported from the source root."""
    name = function.__module__
    return main_name(root, function.__code__.co_filename) if name == "__main__" else name


def class_name(kind: type[Any]) -> str:
    """Returns `module.qualname` of a class, the same in its script and where that is imported."""
    return f"{home_module(kind)}.{kind.__qualname__}"


def home_module(thing: Any) -> str:
    """Returns the module of a class or a function, that of the script by its name in imports."""
    module: str = thing.__module__
    if module == "__main__":
        file = getattr(sys.modules["__main__"], "__file__", None)
        if file is not None:
            return main_name(find(file), file)
    return module


def main_name(root: str, file: str) -> str:
    """Returns the name under which the script that runs can be imported from the source root."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    return name_of_file(file, root)


def name_of_file(file: str, root: str) -> str:
    """Returns the dotted name of a file under the source root, or its bare name elsewhere."""
    relative = os.path.relpath(os.path.abspath(file), root)
    if relative.startswith(os.pardir):
        relative = os.path.basename(relative)
    return os.path.splitext(relative)[0].replace(os.sep, ".").removesuffix(".__init__")


def location(function: Callable[..., Any]) -> dict[str, Any]:
    """Returns the file and line of a function, as messages show it."""
    code = function.__code__
    return {"file": shown(code.co_filename), "line": code.co_firstlineno}


def shown(file: str) -> str:
    """Returns a path the short way: relative to the working directory where it lies below it."""
    try:
        relative = os.path.relpath(file)
    except OSError:  # There is no working directory.
        return file
    return file if relative.startswith(os.pardir) else relative
