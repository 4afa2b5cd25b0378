"""Plays scenarios and tells what came of them."""

from __future__ import annotations

import importlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from partita import _native
from partita.capture import show
from partita.conformance.place import STACK, Place
from partita.conformance.scenario import SCENARIOS, NotClaimed, Scenario, Unexpected
from partita.conformance.scenarios import THEMES
from partita.errors import PartitaError

PASS, FAIL, NOT_CLAIMED = "pass", "fail", "not_claimed"


class Verdict(NamedTuple):
    """What came of a scenario.

    Attributes:
        scenario: Its name.
        says: What is true of an orchestrator that passes.
        verdict: `pass`, `fail` or `not_claimed`.
        expected: What a failed one should have done.
        seen: What it did; why one is not claimed.
        mend: Where to look.
        duration_s: Seconds that it took.
    """

    scenario: str
    says: str
    verdict: str
    expected: str | None
    seen: str | None
    mend: str | None
    duration_s: float


def test(request: dict[str, Any]) -> None:
    """Plays the suite as the command asks; prints each verdict as a line of JSON.

    Raises:
        PartitaError: It cannot begin.
    """
    scenarios = _chosen(request["scenarios"])
    with tempfile.TemporaryDirectory(prefix="partita-conformance-") as name:
        home = Path(name, "home")
        os.environ["PARTITA_HOME"] = str(home)
        here = Place(home, Path.cwd(), request["command"])
        there = Place(home, Path(name, "set-up"), request["command"])
        _register(here, there, request["source"], request["config"])
        for verdict in play(scenarios, Path(name), request["command"]):
            show((_native.encode_value(verdict._asdict()) or b"") + b"\n")


def _chosen(names: list[str]) -> list[Scenario]:
    for theme in THEMES:
        importlib.import_module(f"partita.conformance.scenarios.{theme}")
    for name in names:
        if name not in SCENARIOS:
            raise PartitaError(
                f"there is no scenario `{name}`; those that there are: `{'`, `'.join(SCENARIOS)}`."
            )
    return [SCENARIOS[name] for name in names or SCENARIOS]


def _register(here: Place, there: Place, source: str, config: list[str]) -> None:
    """Makes a stack of an orchestrator of the flavor the active one.

    Args:
        here: Where the source is looked up.
        there: Where nothing else is told by a folder.
        source: The flavor.
        config: The configuration of its orchestrator.
    """
    known = _flavors(there)
    flavor = source
    if source not in known:
        _set_up(here, "orchestrator", "flavor", "register", source)
        (flavor,) = _flavors(there) - known
    _set_up(there, "orchestrator", "register", STACK, f"--flavor={flavor}", *config)
    _set_up(there, "stack", "register", STACK, "-o", STACK, "-a", "default", "--set")


def _flavors(place: Place) -> set[str]:
    listed = _set_up(place, "orchestrator", "flavor", "list", "--output", "json")
    return {flavor["name"] for flavor in json.loads(listed)}


def _set_up(place: Place, *arguments: str) -> str:
    ended = place.partita(*arguments)
    if ended.code != 0:
        raise PartitaError(ended.err.strip().removeprefix("error: ") or "it cannot be registered")
    return ended.out


def play(scenarios: list[Scenario], folder: Path, command: str) -> Iterator[Verdict]:
    """Plays scenarios; yields what came of each."""
    for scenario in scenarios:
        place = Place(folder / "home", folder / "söurce röot" / scenario.name, command)
        begun = time.monotonic()
        expected = seen = mend = None
        try:
            scenario.check(place)
            verdict = PASS
        except NotClaimed as why:
            verdict, seen = NOT_CLAIMED, str(why).removeprefix("error: ")
        except Unexpected as error:
            verdict, expected, seen, mend = FAIL, error.expected, error.seen, error.mend
        except PartitaError as error:  # Of the run that was to be looked at.
            verdict, expected, seen = FAIL, "a run as the scenario describes it", str(error)
            mend = "see what the run did, with the pipeline in the scenario's source."
        finally:
            place.tidy()
        took = round(time.monotonic() - begun, 3)
        yield Verdict(scenario.name, scenario.says, verdict, expected, seen, mend, took)
