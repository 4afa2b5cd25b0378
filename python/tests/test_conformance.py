"""The built-in orchestrators pass the conformance suite, and the suite says what it saw."""

from __future__ import annotations

import json
import subprocess
from itertools import filterfalse
from pathlib import Path
from typing import Any

import pytest

from conftest import Project
from custom_flavors import use_flavor
from partita.conformance import suite
from partita.conformance.place import Place
from partita.conformance.scenario import NotClaimed, Scenario, Unexpected, expect
from partita.conformance.subject import Subject

#: What only orchestrators with processes of their own can do.
ISOLATED = {
    "what-a-step-changes-is-not-seen-by-the-next",
    "an-exit-code-is-told",
    "an-exit-with-code-zero-is-no-success",
    "a-signal-is-told",
    "a-killed-attempt-is-made-again",
    "the-log-of-a-killed-step-is-kept",
    "steps-end-with-a-cancelled-run-that-is-deaf",
}

#: What befalls plugins, which built-in flavors have none of, and what only flavors of one's own have.
OF_PLUGINS = {
    "an-attempt-that-is-launched-twice-is-committed-once",
    "a-job-whose-launch-was-never-answered-is-not-run-twice-in-silence",
    "what-is-told-late-and-again-changes-nothing",
    "questions-about-a-job-that-has-ended-are-answered",
    "a-slow-plugin-is-waited-for",
    "options-of-its-entrypoint-have-values",
    "post-run-is-called-after-the-step",
}


def is_of_plugins(scenario: str) -> bool:
    """Returns whether built-in flavors do not claim a scenario."""
    return scenario in OF_PLUGINS or scenario.startswith(("a-plugin-that-dies-", "settings-"))


def begin(command: str, *words: str, cwd: Path | None = None) -> subprocess.Popen[str]:
    """Starts the suite."""
    line = [command, "orchestrator", "flavor", "test", *words, "--output", "json"]
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(line, cwd=cwd, text=True, **pipes)


def verdicts(suite: subprocess.Popen[str]) -> dict[str, set[str]]:
    """Returns the names of the scenarios by verdict."""
    out, err = suite.communicate()
    assert suite.returncode == 0, (out, err)
    found: dict[str, set[str]] = {}
    for verdict in json.loads(out):
        found.setdefault(verdict["verdict"], set()).add(verdict["scenario"])
    return found


def test_built_in_orchestrators_pass_and_do_not_claim_what_they_cannot(command: str) -> None:
    local, process = begin(command, "local"), begin(command, "process", "--max_parallelism=4")
    seen = verdicts(local)
    assert set(seen) == {"pass", "not_claimed"}
    assert len(seen["pass"] | seen["not_claimed"]) >= 40
    assert seen["pass"].isdisjoint(filter(is_of_plugins, seen["pass"]))
    assert set(filterfalse(is_of_plugins, seen["not_claimed"])) == ISOLATED | {
        "a-gpu-is-seen-or-refused",
        "a-timeout-ends-a-step",
        "memory-is-limited-or-refused",
        "steps-that-need-nothing-of-each-other-overlap",
    }
    seen = verdicts(process)
    assert set(seen) == {"pass", "not_claimed"}
    not_claimed = set(filterfalse(is_of_plugins, seen["not_claimed"]))
    assert not_claimed == {"a-gpu-is-seen-or-refused"}


def test_gpus_are_seen_where_there_are_some(command: str) -> None:
    words = ['--gpus=["0"]', "--scenario=a-gpu-is-seen-or-refused"]
    assert set(verdicts(begin(command, "process", *words))) == {"pass"}


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["local", "--x=1"], 2, "`local` has no key `x`"),
        (["local", "--scenario=nope"], 1, "there is no scenario `nope`"),
        (["nowhere.Flavor"], 1, "there is no module `nowhere`"),
        ([], 2, "<SOURCE>"),
    ],
)
def test_a_suite_that_cannot_begin_says_why(
    words: list[str], code: int, told: str, command: str, project: Project
) -> None:
    del project
    started = begin(command, *words)
    out, err = started.communicate()
    assert (started.returncode, out) == (code, "")
    assert told in err


def test_scenarios_are_listed_and_chosen_by_pattern(command: str) -> None:
    out, _ = begin(command, "--list", "--scenario=cached-*", "--scenario=retries-end").communicate()
    listed = [scenario["scenario"] for scenario in json.loads(out)]
    assert listed == ["retries-end", "cached-steps-are-not-launched"]
    out, _ = begin(command, "--list").communicate()
    assert len(json.loads(out)) > 80


def test_a_registered_flavor_is_tested_by_its_name(command: str, project: Project) -> None:
    use_flavor(project, command)
    project.write("elsewhere/.partita/config.toml", "")
    words = ["mine", "--queue=a", "--scenario=parameters-arrive-as-they-are"]
    assert set(verdicts(begin(command, *words, cwd=project.folder / "elsewhere"))) == {"pass"}


LOCAL = Subject({"name": "local"}, [])


def fails(_: Place) -> None:
    expect("a number", 1, 2, "count again.")


def refused(_: Place) -> None:
    raise NotClaimed("error: it cannot")


@pytest.mark.parametrize(
    ("check", "verdict"),
    [
        (fails, ("fail", "a number: 1", "2", "count again.")),
        (refused, ("not_claimed", None, "it cannot", None)),
        (lambda _: None, ("pass", None, None, None)),
    ],
)
def test_a_verdict_says_what_was_expected_and_seen(
    check: Any, verdict: tuple[str | None, ...], tmp_path: Any
) -> None:
    played = suite.play([Scenario("some", "It is so", check)], tmp_path, "partita", LOCAL)
    (found,) = list(played)
    assert (found.verdict, found.expected, found.seen, found.mend) == verdict


def test_a_place_tells_a_wrong_exit_code_with_what_was_said(command: str, project: Any) -> None:
    place = Place(project.home, project.folder / "place", command, LOCAL)
    with pytest.raises(Unexpected, match="no luck"):
        place.run(FAILING)
    place.run(FAILING, code=1)


FAILING = """
    from partita import pipeline, step

    @step
    def bad() -> None:
        raise ValueError("no luck")

    @pipeline
    def failing():
        bad()
"""
