"""The Python side of the cache key: what a step is, and what it reaches.

`fingerprint` walks from a step's function through the live objects that it names, and returns a
digest for each of them, under names that people know. The engine puts these into the cache key, and
tells from two fingerprints which part changed.

What counts, and what does not:

- Code counts as compiled and imported, never as a file that may have been edited since. Comments,
  line numbers and layout are not in it (but for one function in several hundred, where the compiler
  arranges jumps by line); docstrings, defaults and annotations are.
- Globals, closures, classes (with bases and metaclass) and attributes of modules are followed
  through the source root; constants count by value. The state of an object that can't be compared
  does not count: its class and the whole file of its module do, and what the modules that name it
  run while they are imported.
- A module used in any other way counts as a whole: its file, and what the code in it reaches. One
  that is imported inside a function, and not loaded yet, counts so too, with what it imports; for
  a name that is computed, so does every module that it may mean.
- A distribution counts by its version, a module elsewhere on the path by its file, Python's own
  library and Partita not at all.
- Objects that are changed in place after the first fingerprint of a step are not looked at again in
  the same process; names that are bound anew are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .modules import SourceRoot
    from .reach import Walk

__all__ = ["fingerprint"]


class _Known(NamedTuple):
    """A finished fingerprint, and what must still be as it was for it to hold."""

    function: Any
    missing: Any
    bindings: list[tuple[dict[str, Any], str, Any]]
    file_digests: dict[str, str]
    base: dict[str, Any]
    result: dict[str, Any]


_known: dict[tuple[int, str, tuple[str, ...]], _Known] = {}
_roots: dict[str, SourceRoot] = {}


def fingerprint(
    function: Callable[..., Any], *, source_root: str, files: Sequence[str] = ()
) -> dict[str, Any]:
    """Returns digests of a step's function and of everything that it reaches.

    The same object is returned for as long as nothing changed, so treat it as read-only.

    Args:
        function: The function, or a step object (its `__partita_step__` is meant).
        source_root: The directory of the author's code; what lies elsewhere is not looked into.
        files: Files and directories that count as well, relative to the source root.

    Returns:
        `parts` (each with `name`, `kind` and `digest`; the function first, the others by name),
        `distributions` (versions by name) and `notes` (what was counted as a whole, and why).

    Raises:
        MissingFileError: A declared file is not there.

    Example:
        >>> fingerprint(train, source_root=".")["parts"][0]["name"]  # doctest: +SKIP
        'steps.train'
    """
    key = (id(function), source_root, tuple(files))
    known = _known.get(key)
    still_holds = known is not None and _holds(known)
    if known is not None and still_holds and not files:
        return known.result
    digests = _digest_files(key[2], root_at(source_root)) if files else {}
    if known is not None and still_holds:
        if known.file_digests == digests:
            return known.result
        base, bindings = known.base, known.bindings
    else:
        walk, name = _walk(function, root_at(source_root))
        base, bindings = _report(walk, name), walk.bindings
    result = _with_files(base, digests)
    # The function is kept, so that its id can't be given to another one.
    _known[key] = _Known(function, _missing(), bindings, digests, base, result)
    return result


def _digest_files(files: tuple[str, ...], root: SourceRoot) -> dict[str, str]:
    from .declared import digest_files

    return digest_files(files, root)


def root_at(path: str) -> SourceRoot:
    """Returns the source root in this directory, the same one each time."""
    from .modules import SourceRoot

    if path not in _roots:
        _roots[path] = SourceRoot(path)
    return _roots[path]


def _holds(known: _Known) -> bool:
    missing = known.missing
    return all(space.get(name, missing) is value for space, name, value in known.bindings)


def _missing() -> Any:
    from .reach import Walk

    return Walk.MISSING


def _walk(function: Any, root: SourceRoot) -> tuple[Walk, str]:
    """Walks from `function`; also returns the name of its own part."""
    from .naming import claimed, home, unwrap_step
    from .reach import Walk

    function = unwrap_step(function)
    place = home(function) or claimed(function)
    module = place[0] or type(function).__module__
    name = f"{root.name(module)}.{place[1] or type(function).__qualname__}"
    walk = Walk(root)
    walk.run(name, function, module)
    unique = {(id(space), bound): (space, bound, value) for space, bound, value in walk.bindings}
    walk.bindings = list(unique.values())
    return walk, name


def _report(walk: Walk, name: str) -> dict[str, Any]:
    from .digest import digest
    from .framing import frame, text

    parts: list[dict[str, str]] = []
    for part in sorted(walk.parts, key=lambda part: (part != name, part)):
        contents = sorted(walk.parts[part])
        frames = [frame("content", text(kind), content) for kind, content in contents]
        parts.append(
            {"name": part, "kind": contents[0][0], "digest": digest(frame("part", *frames))}
        )
    return {
        "parts": parts,
        "distributions": dict(sorted(walk.distributions.items())),
        "notes": sorted(walk.notes),
    }


def _order(part: dict[str, str]) -> tuple[str, str]:
    return part["name"], part["kind"]


def _with_files(base: dict[str, Any], digests: dict[str, str]) -> dict[str, Any]:
    """Returns the report with a part for each declared file."""
    files = [{"name": name, "kind": "file", "digest": made} for name, made in digests.items()]
    first, others = base["parts"][:1], base["parts"][1:] + files
    others = sorted(others, key=_order)
    return {**base, "parts": first + others}
