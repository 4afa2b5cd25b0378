"""Reads from a step function what it takes and what it makes.

Annotations are resolved when a pipeline is traced, not when a step is declared, so that importing
a file of steps costs next to nothing.
"""

from __future__ import annotations

import sys

from partita.errors import PipelineError
from partita.source_root import class_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

#: The name of a single output that its author did not name.
OUTPUT = "output"

_NONE, _UNION = type(None), type(int | None)

_KINDS = {
    _NONE: "None",
    bool: "bool",
    int: "int",
    float: "float",
    str: "str",
    bytes: "bytes",
    list: "list",
    dict: "dict",
    tuple: "tuple",
}
_VARARGS, _VARKEYWORDS = 0x04, 0x08


class Output:
    """One declared output: its name and, where its author declared one, its type."""

    __slots__ = ("data_type", "name")

    def __init__(self, name: str, data_type: Any) -> None:
        self.name = name
        self.data_type = data_type


class Signature:
    """What a step function takes and makes."""

    def __init__(self, function: Callable[..., Any]) -> None:
        """Reads the signature of a plain function."""
        code = function.__code__
        count = code.co_argcount + code.co_kwonlyargcount
        names = code.co_varnames[:count]
        if code.co_flags & _VARARGS:
            raise PipelineError(
                f"step `{function.__name__}` takes `*{code.co_varnames[count]}`, and inputs need "
                "names: take a list instead."
            )
        taken = [name for name in names if name in ("id", "after")]
        if taken:
            raise PipelineError(
                f"step `{function.__name__}` has an input `{taken[0]}`, a word that a pipeline "
                "needs to name a step or its order; call the input otherwise."
            )
        self.positional = names[: code.co_argcount]
        self.positional_only = names[: code.co_posonlyargcount]
        self.names = names
        self.open = bool(code.co_flags & _VARKEYWORDS)
        defaults = function.__defaults__ or ()
        self.defaults: dict[str, Any] = dict(
            zip(self.positional[len(self.positional) - len(defaults) :], defaults, strict=True)
        )
        self.defaults.update(function.__kwdefaults__ or {})
        self.types = _hints(function)
        self.outputs = _outputs(function.__name__, self.types)

    def kinds(self, name: str) -> list[str] | None:
        """Returns the kinds of literal that an input accepts, or `None` if it accepts any."""
        return kinds(self.types.get(name))


def kinds(annotation: Any) -> list[str] | None:
    """Returns the kinds of literal that an annotation accepts, or `None` if it accepts any."""
    members = _members(annotation)
    found = [_KINDS.get(_origin(member)) for member in members]
    return None if not found or None in found else [kind for kind in found if kind]


def type_name(data_type: Any) -> str | None:
    """Returns `module.qualname` of a declared class, or `None` for anything else."""
    data_type = _plain(data_type)
    if not isinstance(data_type, type):
        data_type = _origin(data_type)
    if not isinstance(data_type, type) or data_type is object:
        return None
    return class_name(data_type)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    if not function.__annotations__:
        return {}
    try:
        types = _classes(function) if "typing" not in sys.modules else None
        if types is not None:
            return types
        from typing import get_type_hints

        return get_type_hints(function, include_extras=True)
    except Exception as error:
        raise PipelineError(
            f"the annotations of step `{function.__name__}` cannot be resolved: {error}; import "
            "the names they use at the top of the file, outside of `if TYPE_CHECKING`."
        ) from error


def _classes(function: Callable[..., Any]) -> dict[str, Any] | None:
    """Returns the annotations of a function if all are plain classes, else `None`.

    They need nothing of `typing`, which takes as long to import as Python takes to start.
    """
    types: dict[str, Any] = {}
    for name, annotation in function.__annotations__.items():
        if isinstance(annotation, str):
            annotation = eval(annotation, function.__globals__)  # As `typing` does itself.
        types[name] = _NONE if annotation is None else annotation
    are_classes = all(type(found) is type for found in types.values())
    return types if are_classes else None


def _outputs(step: str, types: dict[str, Any]) -> list[Output]:
    if "return" not in types:
        return [Output(OUTPUT, None)]
    annotation = types["return"]
    if annotation in (None, _NONE):
        return []
    members = getattr(annotation, "__args__", ())
    if _origin(annotation) is not tuple or not members or members[-1] is Ellipsis:
        return [_output(annotation, OUTPUT)]
    outputs = [_output(member, f"{OUTPUT}_{index}") for index, member in enumerate(members)]
    names = [output.name for output in outputs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise PipelineError(
            f"step `{step}` declares the output `{twice[0]}` more than once; name each once."
        )
    return outputs


def _output(annotation: Any, name: str) -> Output:
    for note in getattr(annotation, "__metadata__", ()):
        if isinstance(note, str):
            return Output(note, annotation.__origin__)
    return Output(name, annotation)


def _plain(annotation: Any) -> Any:
    return annotation.__origin__ if hasattr(annotation, "__metadata__") else annotation


def _origin(annotation: Any) -> Any:
    annotation = _plain(annotation)
    return getattr(annotation, "__origin__", annotation)


def _members(annotation: Any) -> tuple[Any, ...]:
    annotation = _plain(annotation)
    if annotation is None:
        return ()
    is_union = isinstance(annotation, _UNION)
    if not is_union and getattr(annotation, "__origin__", None) is not None:
        import typing

        is_union = annotation.__origin__ is typing.Union
    return annotation.__args__ if is_union else (annotation,)
