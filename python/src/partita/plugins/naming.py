"""What an author's code names, found out without running it: only a run loads an implementation."""

from __future__ import annotations

import ast
import sys
from importlib.machinery import PathFinder
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Names:
    """What the source of a module, and of those beside it that it imports, names.

    Attributes:
        all: Variables, attributes, functions and what is imported, also where only a text is such a
            name; no words of comments and of longer texts.
        functions: Functions that are defined there.
    """

    def __init__(self, module: str) -> None:
        """Reads the source, if there is any."""
        self.all: set[str] = set()
        self.functions: set[str] = set()
        for tree in _trees(module):
            for node in ast.walk(tree):
                self._take(node)

    def _take(self, node: ast.AST) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            self.functions.add(node.name)
            self.all.add(node.name)
        elif isinstance(node, ast.Name):
            self.all.add(node.id)
        elif isinstance(node, ast.Attribute):
            self.all.add(node.attr)
        elif isinstance(node, ast.alias):
            self.all.update(node.name.split("."))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            self.all.add(node.value)


def _trees(module: str) -> Iterator[ast.Module]:
    """Yields the parsed sources of a module, and of those of the same root that it imports."""
    found = _file(module)
    if found is None:
        return
    package = module.partition(".")[0]
    top = _file(package) or found
    folder = (top.parent if top.name == "__init__.py" else top).parent
    seen: set[str] = set()
    asked = [module]
    while asked:
        module = asked.pop()
        path = None if module in seen else _file(module)
        seen.add(module)
        if path is None or not _is_own(path, folder, package):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, RecursionError):
            continue
        yield tree
        asked += _imported(tree, module, is_package=path.name == "__init__.py")


def _is_own(path: Path, folder: Path, package: str) -> bool:
    if not path.is_relative_to(folder):
        return False
    parts = path.relative_to(folder).parts
    installed = {"site-packages", "dist-packages"}
    is_installed = bool(installed.intersection(folder.parts))
    return parts[0] in (package, f"{package}.py") if is_installed else not installed & {*parts}


def _file(module: str) -> Path | None:
    """Returns the source file of a module; its packages are not imported."""
    places = None
    for part in _prefixes(module):
        spec = PathFinder.find_spec(part, places)
        if spec is None:
            return None
        places = spec.submodule_search_locations
        if part == module and spec.has_location and (spec.origin or "").endswith(".py"):
            return Path(spec.origin or "")
        if places is None:
            return None
    return None


def _prefixes(module: str) -> Iterator[str]:
    parts = module.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def _imported(tree: ast.Module, module: str, *, is_package: bool) -> list[str]:
    """Returns the modules that a source may import, those of Python itself left out."""
    modules: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, module, is_package=is_package)
            modules += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    left_out = {*sys.stdlib_module_names, "partita"}
    return [name for name in modules if name.partition(".")[0] not in left_out]


def _base(node: ast.ImportFrom, module: str, *, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    up = node.level - 1 if is_package else node.level
    return ".".join([*parts[: len(parts) - up], *([node.module] if node.module else [])])
