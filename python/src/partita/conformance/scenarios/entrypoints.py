"""Steps that are started by a step entrypoint configuration of the orchestrator's own."""

from __future__ import annotations

import json
from typing import Any

from partita.conformance.calls import calling
from partita.conformance.entry import POST_RUN
from partita.conformance.place import Place
from partita.conformance.scenario import NotClaimed, expect, scenario

LOOK = """
    from partita import pipeline, step

    @step(enable_cache=False)
    def look() -> dict:
        from partita.conformance import entry
        return entry.look(FOLDER)

    @pipeline
    def entered():
        look()
"""


def entered(place: Place) -> dict[str, Any]:
    """Returns how a step was started.

    Raises:
        NotClaimed: In no way of the orchestrator's own.
    """
    found = place.run(calling(place, LOOK)).steps["look"].output.load()
    if not found:
        raise NotClaimed("its steps are not started by the step entrypoint")
    if not found["own"]:
        raise NotClaimed("its steps are started by Partita's own configuration of the entrypoint")
    return found


@scenario
def options_of_its_entrypoint_have_values(place: Place) -> None:
    """Every option that the orchestrator's entrypoint configuration asks for is given."""
    expect(
        "required options without a value",
        [],
        entered(place)["missing"],
        "return a value for each option in `get_entrypoint_arguments`.",
    )


@scenario
def post_run_is_called_after_the_step(place: Place) -> None:
    """`post_run` of the orchestrator's entrypoint configuration is called, and told which step."""
    source = entered(place)["source"]
    note = place.signals / POST_RUN
    expect(
        "what `post_run` was called with",
        ["entered", "look"],
        json.loads(note.read_text(encoding="utf-8")) if note.exists() else None,
        f"let `{source}.run` call `super().run()`, or `post_run` once the step is committed.",
    )
