"""Makes the pipeline spec of a pipeline: what the engine checks and compiles."""

from __future__ import annotations

import os
import sys

from partita import source_root, tracing
from partita.signature import Signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from partita import _engine
    from partita.pipeline import Pipeline

#: Marks a parameter that documents show and cannot give back.
UNSAVED = "$unsaved"


def trace(
    target: Pipeline, arguments: dict[str, Any], root: str, literals: _engine.Literals
) -> tracing.Trace:
    """Runs a pipeline's function once and returns what it calls."""
    from partita.literals import save_literal

    found = tracing.Trace(
        root, lambda place, value: save_literal(target.name, root, literals, place, value)
    )
    try:
        found.run(target.entrypoint, arguments)
    except BaseException:
        literals.release()  # Whoever keeps the exception keeps everything that its frames hold.
        raise
    return found


def spec(
    target: Pipeline,
    arguments: dict[str, Any],
    found: tracing.Trace,
    problems: list[dict[str, Any]],
) -> dict[str, Any]:
    """Returns the pipeline spec of a trace, as the engine takes it.

    With problems of the parameters it is one that the engine refuses.
    """
    function = target.entrypoint
    place = source_root.location(function)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    parameters: dict[str, Any] = {}
    for name, value in arguments.items():
        name = tracing.check_text("parameter", name)
        parameters[name] = value if tracing.is_plain(value) else {UNSAVED: repr(value)}
    return {
        "name": tracing.check_text("pipeline", target.name),
        "source": f"{source_root.module_name(function, found.root)}:{function.__qualname__}",
        "location": place,
        "parameters": parameters,
        "parameter_problems": problems,
        "options": [
            tracing.layer(target.options, place),
            tracing.layer(target.later_options, None, target.places),
        ],
        "hooks": tracing.hooks(target),
        "environment": {
            "interpreter": f"{sys.implementation.name}-{version}{sys.abiflags}",
            "platform": _platform(),
        },
        "sources": found.sources,
        "definitions": found.definitions,
        "steps": found.steps,
    }


def _platform() -> str:
    """Returns the platform's ABI, with the C library where Python was told of it."""
    known: str | None = getattr(sys.implementation, "_multiarch", None)
    return known or f"{os.uname().machine}-{sys.platform}"


def bind_defaults(
    target: Pipeline,
    given: dict[str, Any],
    place: dict[str, Any] | None,
    places: dict[str, dict[str, Any]],
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Returns the values to call a pipeline with, defaults included, and problems of those given.

    A value of no parameter is left out, and one of the wrong type gives way to the default, if
    there is one. Values are given at `place`, but for those that have another in `places`.
    """
    signature = Signature(target.entrypoint)
    values = dict(signature.defaults)
    problems: list[dict[str, Any]] = []

    def tell(name: str, message: str, help: str) -> None:
        location = places.get(name, place)
        message = message.encode(errors="backslashreplace").decode()  # Documents are UTF-8.
        problems.append({"message": message, "location": location, "help": help})

    for name, value in given.items():
        if name not in signature.names and not signature.open:
            message = f"pipeline `{target.name}` has no parameter `{name}`"
            tell(name, message, _suggestion(name, signature.names))
            continue
        kinds = signature.kinds(name)
        if kinds is None or _fits(value, kinds):
            values[name] = float(value) if kinds == ["float"] else value
            continue
        values.setdefault(name, value)
        tell(
            name,
            f"parameter `{name}` of pipeline `{target.name}` is declared as "
            f"`{' or '.join(kinds)}` and got `{value!r}` of type `{type(value).__qualname__}`",
            "give it a value of that type, or declare another one",
        )
    for name in signature.names:
        if name not in values:
            message = f"parameter `{name}` of pipeline `{target.name}` is missing"
            tell(name, message, f"give it with `--param {name}=…` or in the call")
    return values, problems


def _suggestion(name: str, names: tuple[str, ...]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, names, n=1)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"it takes `{'`, `'.join(names)}`" if names else "it takes none"


def _fits(value: Any, kinds: list[str]) -> bool:
    kind = "None" if value is None else type(value).__name__
    return kind in kinds or (kind == "int" and "float" in kinds)
