"""Pipelines that are programs in Rust, which are the entrypoints of their own steps.

They are played where the suite is given the program of `examples/pipelines_rust` that has them.
"""

from __future__ import annotations

import os
import signal

from partita.conformance.living import MEND, check_dead, check_seen
from partita.conformance.place import Place, check_code
from partita.conformance.scenario import expect, scenario
from partita.conformance.scenarios.logs import log

RUNS = "start the command that it is handed, unchanged: a step of a program is entered by that."


def calls(place: Place) -> list[str]:
    """Returns the calls that the steps have noted."""
    return (place.signals / "calls").read_text(encoding="utf-8").split()


@scenario
def the_steps_of_a_program_run_and_are_cached(place: Place) -> None:
    """Steps, items and values of a program come through, and a second run takes what they made."""
    run = place.run_program("mapped")
    made = run.steps["add"].output.load()
    expect("what the last step made", (0 + 1 + 4, "é$(x) '"), made, RUNS)
    items = [item.status for item in run.steps["square"].items]
    expect("the items", ["completed"] * 3, items, RUNS)
    again = place.run_program("mapped")
    statuses = {name: step.status for name, step in again.steps.items()}
    expect("the statuses", dict.fromkeys(statuses, "cached"), statuses, RUNS)


@scenario
def what_a_step_of_a_program_says_is_in_its_log(place: Place) -> None:
    """What a step of a program prints, and its events, are recorded."""
    place.run_program("mapped", "count=4", "--no-cache")
    seen = log(place, "numbers")
    for words in ("out é 漢", "INFO conformance: an event count=4"):
        expect(f"`{words}` in the log", True, words in seen, "record both streams until the end.")


@scenario
def an_attempt_of_a_program_that_fails_is_made_again(place: Place) -> None:
    """A step of a program that fails twice is completed by its third attempt."""
    run = place.run_program("retried")
    expect("the number of the last attempt", 3, run.steps["flaky"].output.load(), RUNS)
    ended = [attempt["status"] for attempt in place.attempts("flaky")]
    expect("the attempts", ["failed", "failed", "completed"], ended, RUNS)


@scenario
def a_panic_of_a_program_is_recorded(place: Place) -> None:
    """The error of a step that panics is what it panicked with."""
    place.run_program("panicking", code=1)
    attempt = place.only_attempt("panics")
    said = "panic: no luck: é"
    expect(f"`{said}` in the error", True, said in str(attempt["error"]), RUNS)


@scenario
def an_exit_code_of_a_program_is_told(place: Place) -> None:
    """A step of a program whose process ends by itself has failed, with whatever code."""
    place.needs_isolation()
    place.run_program("ending", "code=7", code=1)
    attempt = place.only_attempt("end")
    ended = (attempt["status"], attempt["exit_code"])
    expect("the status and the exit code", ("failed", 7), ended, RUNS)
    run = place.run_program("ending", "code=0", code=1)
    expect("the status after code 0", "failed", run.steps["end"].status, RUNS)


@scenario
def control_c_cancels_a_program_and_its_steps(place: Place) -> None:
    """Ctrl-C ends the steps of a program, its run is cancelled, and the exit code is 130."""
    place.needs_isolation()
    run = place.begin("run", *waiting(place))
    place.wait_for_signal("begun")
    os.kill(run.pid, signal.SIGINT)
    ended = place.end(run)
    check_code(ended, 130)
    expect("the run's status", "cancelled", place.last_run().status, MEND)
    expect("the calls in all", ["first", "wait"], calls(place), MEND)
    check_dead(place)
    check_seen(ended.err)


@scenario
def a_killed_engine_leaves_a_run_of_a_program_that_goes_on(place: Place) -> None:
    """After `kill -9` of a program no finished step of it runs again when the run is resumed."""
    run = place.begin("run", *waiting(place))
    place.wait_for_signal("begun")
    os.kill(run.pid, signal.SIGKILL)
    place.end(run)
    expect("the run's status", "interrupted", place.last_run().status, MEND)
    (place.signals / "go").touch()
    check_code(place.partita("runs", "resume", "latest"), 0)
    called = calls(place)
    expect("how often the finished step ran", 1, called.count("first"), MEND)
    expect("how often the last step ran", 1, called.count("last"), MEND)
    expect("the run's status", "completed", place.last_run().status, MEND)


def waiting(place: Place) -> tuple[str, ...]:
    """Returns what runs the pipeline whose step waits."""
    return (place.program("waiting"), "--param", f"folder={place.signals}")
