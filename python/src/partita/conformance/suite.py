"""Plays scenarios and tells what came of them."""

from __future__ import annotations

import fnmatch
import importlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from partita import _native
from partita.conformance import stopping
from partita.conformance.place import STACK, NotSetUp, Place
from partita.conformance.scenario import SCENARIOS, NotClaimed, Scenario, Unexpected
from partita.conformance.scenarios import PROGRAMS, THEMES
from partita.conformance.subject import Subject
from partita.errors import PartitaError
from partita.streams import show
from partita.telling import tell

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
        SystemExit: There is no such scenario, or the orchestrator cannot be registered.
    """
    try:
        scenarios = _chosen(request["scenarios"], request.get("program"))
    except PartitaError as error:
        tell(f"error: {error}")
        raise SystemExit(2) from None
    if request["is_list"]:
        for scenario in scenarios:
            _show({"scenario": scenario.name, "says": scenario.says})
        return
    stopping.be_stopped_once()
    folder = Path(tempfile.mkdtemp(prefix="partita-conformance-"))
    try:
        os.environ["PARTITA_HOME"] = str(folder / "home")
        subject = _register(folder, request)
        _check_waits(folder, request["command"], subject)
        for verdict in play(scenarios, folder, request["command"], subject):
            _show(verdict._asdict())
    except NotSetUp as error:
        tell(str(error))
        raise SystemExit(error.code) from None
    except Submits:
        tell(
            "error: it submits runs and does not wait for them, so nothing of them can be seen; "
            "configure it so that `is_synchronous` is true, and test that."
        )
        raise SystemExit(2) from None
    finally:
        _remove(folder)


class Submits(Exception):
    """Runs of the orchestrator go on after the command has ended."""


def _check_waits(folder: Path, command: str, subject: Subject) -> None:
    """Checks that a run is over when its command has ended.

    Raises:
        Submits: It goes on without an engine.
    """
    if subject.delegates == "no":
        return
    place = Place(folder / "home", folder / "probe", command, subject)
    place.write("main.py", PROBE)
    try:
        place.partita("run", "main.py")
    except Unexpected:
        return  # Scenarios tell more of one that does not end.
    finally:
        place.tidy()
    for submission in (folder / "home").rglob("submission.json"):
        if json.loads(submission.read_bytes()).get("ends") == "entrypoint":
            raise Submits


PROBE = """
    from partita import pipeline, step

    @step(enable_cache=False)
    def work() -> int:
        return 1

    @pipeline
    def probe():
        work()
"""


def _remove(folder: Path) -> None:
    """Removes a folder that jobs of a wrong orchestrator may still write to before they notice."""
    for _ in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def _show(document: dict[str, Any]) -> None:
    show((_native.encode_value(document) or b"") + b"\n")


def _chosen(patterns: list[str], program: str | None) -> list[Scenario]:
    for theme in (*THEMES, PROGRAMS) if program else THEMES:
        importlib.import_module(f"partita.conformance.scenarios.{theme}")
    for pattern in patterns:
        if not fnmatch.filter(SCENARIOS, pattern):
            raise PartitaError(
                f"there is no scenario `{pattern}`; `partita orchestrator flavor test --list` "
                "lists those that there are"
            )
    return [
        scenario
        for name, scenario in SCENARIOS.items()
        if not patterns or any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    ]


def _register(folder: Path, request: dict[str, Any]) -> Subject:
    """Makes a stack of an orchestrator of the flavor the active one."""
    home, command, config = folder / "home", request["command"], request["config"]
    nothing = Subject({"name": ""}, config)
    # A source is looked up where it belongs; everything else where no folder tells anything.
    here = Place(home, Path(request["source_root"] or Path.cwd()), command, nothing)
    there = Place(home, folder / "set-up", command, nothing)
    known = _flavors(there)
    flavor = request["source"]
    if flavor not in known:
        here.set_up("orchestrator", "flavor", "register", flavor)
        (flavor,) = _flavors(there) - known
    there.set_up("orchestrator", "register", STACK, f"--flavor={flavor}", *config)
    there.set_up("stack", "register", STACK, "-o", STACK, "-a", "default", "--set")
    described = there.set_up("orchestrator", "flavor", "describe", flavor, "--output", "json")
    return Subject(json.loads(described), config, request.get("program"))


def _flavors(place: Place) -> set[str]:
    listed = place.set_up("orchestrator", "flavor", "list", "--output", "json")
    return {flavor["name"] for flavor in json.loads(listed)}


def play(
    scenarios: list[Scenario], folder: Path, command: str, subject: Subject
) -> Iterator[Verdict]:
    """Plays scenarios; yields what came of each."""
    for scenario in scenarios:
        root = folder / "söurce röot" / scenario.name
        place = Place(folder / "home", root, command, subject)
        begun = time.monotonic()
        expected = seen = mend = None
        try:
            scenario.check(place)
            verdict = PASS
        except NotClaimed as why:
            verdict, seen = NOT_CLAIMED, str(why).rpartition("error: ")[2]
        except Unexpected as error:
            verdict, expected, seen, mend = FAIL, error.expected, error.seen, error.mend
        except PartitaError as error:  # Of the run that was to be looked at.
            verdict, expected, seen = FAIL, "a run as the scenario describes it", str(error)
            mend = "see what the run did, with the pipeline in the scenario's source."
        finally:
            place.tidy()
        took = round(time.monotonic() - begun, 3)
        yield Verdict(scenario.name, scenario.says, verdict, expected, seen, mend, took)
