"""How the process of a step was started, as a step of the suite sees it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from partita.entrypoints.base_entrypoint_configuration import (
    ENTRYPOINT_CONFIG_SOURCE_OPTION,
    required,
)
from partita.entrypoints.step_entrypoint_configuration import StepEntrypointConfiguration

#: The file that tells what `post_run` was called with.
POST_RUN = "post-run"


def look(folder: Path) -> dict[str, Any]:
    """Returns which class runs this step and what it was given, and watches its `post_run`.

    Args:
        folder: Where `post_run` leaves its mark.

    Returns:
        `source`, the dotted path; `own`, whether it is no class of Partita; and `missing`, the
        options that have no value. Nothing if no step entrypoint runs the step.
    """
    given = _options(sys.orig_argv)
    source = given.get(ENTRYPOINT_CONFIG_SOURCE_OPTION)
    if source is None:
        return {}
    module, _, name = source.rpartition(".")
    kind: type[StepEntrypointConfiguration] = getattr(sys.modules[module], name)
    _watch(kind, folder / POST_RUN)
    asked = required(kind.get_entrypoint_options())
    missing = [option for option, is_required in asked.items() if is_required > (option in given)]
    return {
        "source": source,
        "own": kind is not StepEntrypointConfiguration,
        "missing": missing,
    }


def _watch(kind: type[StepEntrypointConfiguration], note: Path) -> None:
    own = kind.post_run

    def post_run(self: StepEntrypointConfiguration, pipeline_name: str, step_name: str) -> None:
        own(self, pipeline_name, step_name)
        note.write_text(json.dumps([pipeline_name, step_name]), encoding="utf-8")

    setattr(kind, "post_run", post_run)  # noqa: B010 - no subclass: its source names this class


def _options(arguments: list[str]) -> dict[str, str]:
    """Returns the value of each option of a command line."""
    found: dict[str, str] = {}
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if argument.startswith("--"):
            name, has_value, value = argument[2:].partition("=")
            found.setdefault(name, value if has_value else following)
    return found
