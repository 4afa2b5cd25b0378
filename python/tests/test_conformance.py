"""The built-in orchestrators pass the conformance suite, and the suite says what it saw."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from partita.conformance import suite
from partita.conformance.place import Place
from partita.conformance.scenario import NotClaimed, Scenario, Unexpected, expect

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


def begin(command: str, *words: str) -> subprocess.Popen[str]:
    """Starts the suite."""
    line = [command, "orchestrator", "flavor", "test", *words, "--output", "json"]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


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
    assert seen["not_claimed"] == ISOLATED | {
        "a-gpu-is-seen-or-refused",
        "a-timeout-ends-a-step",
        "memory-is-limited-or-refused",
        "steps-that-need-nothing-of-each-other-overlap",
    }
    seen = verdicts(process)
    assert set(seen) == {"pass", "not_claimed"}
    assert seen["not_claimed"] == {"a-gpu-is-seen-or-refused"}


def test_gpus_are_seen_where_there_are_some(command: str) -> None:
    words = ['--gpus=["0"]', "--scenario=a-gpu-is-seen-or-refused"]
    assert set(verdicts(begin(command, "process", *words))) == {"pass"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["local", "--x=1"], "`local` has no key `x`"),
        (["local", "--scenario=nope"], "there is no scenario `nope`"),
    ],
)
def test_a_suite_that_cannot_begin_says_why(words: list[str], told: str, command: str) -> None:
    started = begin(command, *words)
    out, err = started.communicate()
    assert (started.returncode, out) == (1, "")
    assert told in err


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
    played = suite.play([Scenario("some", "It is so", check)], tmp_path, "partita")
    (found,) = list(played)
    assert (found.verdict, found.expected, found.seen, found.mend) == verdict


def test_a_place_tells_a_wrong_exit_code_with_what_was_said(command: str, project: Any) -> None:
    place = Place(project.home, project.folder / "place", command)
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
