"""Settings of the flavor on pipelines and steps."""

from __future__ import annotations

import json
from typing import Any

from partita.conformance.faults import STACK, Faults
from partita.conformance.place import Place, check_code
from partita.conformance.scenario import NotClaimed, Unexpected, expect, scenario
from partita.conformance.schema import examples, wrong

MEND = (
    "say in the settings' schema what is right and nothing else: with `additionalProperties` "
    "`false`, and in Python as a subclass of `BaseSettings`."
)

SET = """
    from partita import pipeline, step

    @step(enable_cache=False)
    def plain() -> int:
        return 1

    @step(enable_cache=False, settings={{"orchestrator": {step}}})
    def special(number: int) -> int:
        return number

    @pipeline(settings={{"orchestrator": {pipeline}}})
    def tuned():
        special(plain())
"""


def schema_of(place: Place) -> dict[str, Any]:
    """Returns the schema of the flavor's settings.

    Raises:
        NotClaimed: It has none.
    """
    if place.subject.settings_schema is None:
        raise NotClaimed("it has no settings of its own on pipelines and steps")
    return place.subject.settings_schema


def made_up(schema: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns settings that fit a schema, and others for some of their keys.

    Raises:
        NotClaimed: There are no examples of what must be given.
    """
    settings: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for key, of in schema.get("properties", {}).items():
        found = examples(of, schema)
        if found:
            settings[key] = found[0]
            others |= {key: found[1]} if len(found) > 1 else {}
        elif key in schema.get("required", []):
            raise NotClaimed(f"no value of its setting `{key}` can be made up from the schema")
    return settings, others


@scenario
def settings_of_a_step_come_before_those_of_the_pipeline(place: Place) -> None:
    """Settings that fit the schema are taken, those of a step before those of its pipeline."""
    settings, others = made_up(schema_of(place))
    plugin = Faults(place)
    plugin.set()
    place.run(SET.format(pipeline=settings, step=others), "--stack", STACK)
    compiled = place.partita("compile", "main.py", "--stack", STACK)
    check_code(compiled, 0)
    told = {
        step["name"]: step.get("config", {}).get("settings", {})
        for step in json.loads(compiled.out)["steps"]
    }
    launched = plugin.passed("launch", "asked")
    told |= {one["attempt"]["step"]: one["settings"] for one in launched}
    expect("the settings of a step without its own", settings, told["plain"], MEND)
    expect("the settings of the other", {**settings, **others}, told["special"], MEND)


@scenario
def settings_are_read(place: Place) -> None:
    """A flavor in Python that has settings looks at those of the steps that it runs."""
    settings, others = made_up(schema_of(place))
    plugin = Faults(place)
    plugin.set()
    place.run(SET.format(pipeline=settings, step=others), "--stack", STACK)
    if place.subject.source_root is None:
        raise NotClaimed("it is not in Python, and nobody can see whether it reads its settings")
    expect(
        "settings that were read while the run went on",
        True,
        plugin.is_read,
        "honour what `get_settings` returns for a step or an attempt, or declare no settings.",
    )


@scenario
def settings_outside_of_the_schema_are_refused(place: Place) -> None:
    """A setting that the flavor does not know, or of a wrong type, is refused by its name."""
    schema = schema_of(place)
    settings, _ = made_up(schema)
    refuse(place, settings, "conformance_unknown", 1)
    for key, of in schema.get("properties", {}).items():
        for value in wrong(of, schema):
            refuse(place, settings, key, value)


def refuse(place: Place, settings: dict[str, Any], key: str, value: object) -> None:
    """Checks that a pipeline with a setting is refused before it runs."""
    place.write("main.py", SET.format(pipeline=settings, step={key: value}))
    before = place.last_run_id()
    ended = place.partita("run", "main.py")
    if ended.code == 0:
        raise Unexpected(f"the setting `{key}` = {value!r} to be refused", "it is taken", MEND)
    check_code(ended, 1)
    expect("no run to be begun", before, place.last_run_id(), MEND)
    expect(f"`{key}` in the message", True, key in ended.err, MEND)
