"""The built-in orchestrators pass the conformance suite, and the suite says what it saw."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from conftest import Project
from custom_flavors import DIRECT, SOURCE, use_flavor, write_flavor
from partita.conformance import suite
from partita.conformance.place import Ended, Place, check_code
from partita.conformance.scenario import NotClaimed, Scenario, Unexpected, expect
from partita.conformance.subject import Subject
from played_suites import GPUS, ISOLATION, PLUGINS, PROCESSES, begin, not_claimed
from rust_programs import CONFORMANCE, ROOT
from test_rust_orchestrators import SANDBOX
from test_rust_ways import MAKEFILE, WAVES


def test_built_in_orchestrators_pass_and_do_not_claim_what_they_cannot(command: str) -> None:
    local, process = begin(command, "local"), begin(command, "process", "--max_parallelism=4")
    assert not_claimed(local) == GPUS | ISOLATION | PROCESSES | PLUGINS | {"a-timeout-ends-a-step"}
    assert not_claimed(process) == GPUS | PLUGINS


def test_gpus_are_seen_where_there_are_some(command: str) -> None:
    words = ['--gpus=["0"]', "--scenario=a-gpu-is-seen-or-refused"]
    assert not_claimed(begin(command, "process", *words)) == set()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["local", "--x=1"], 2, "`local` has no key `x`"),
        (["local", "--scenario=nope"], 2, "there is no scenario `nope`"),
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


def test_an_orchestrator_that_does_not_wait_for_its_runs_is_refused(
    command: str, project: Project
) -> None:
    write_flavor(project, DIRECT.replace("self.run_step(step)", "pass"))
    config = project.folder / "flavors/config.py"
    config.write_text(config.read_text() + ASYNCHRONOUS)
    suite = begin(command, SOURCE, "--queue=a", cwd=project.folder)
    out, err = suite.communicate()
    assert (suite.returncode, out) == (2, "")
    assert "configure it so that `is_synchronous` is true" in err
    assert len(err.strip().splitlines()) == 1


ASYNCHRONOUS = """
    @property
    def is_synchronous(self) -> bool:
        return False
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_suite_that_is_ended_leaves_nothing_behind(
    number: signal.Signals, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    suite = begin(command, "process", "--scenario=control-c-*", "--scenario=a-timeout-*")
    until("a step to run", lambda: list(tmp_path.rglob("signals/begun")))
    suite.send_signal(number)
    suite.communicate()
    assert suite.returncode not in (0, 1)
    until("nothing to be left", lambda: not list(tmp_path.glob("partita-conformance-*")))
    until("no process to be left", lambda: not processes_of(tmp_path))


def until(what: str, look: Callable[[], Any]) -> None:
    """Waits until something is so."""
    end = time.monotonic() + 60
    while not look():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def processes_of(folder: Path) -> list[int]:
    """Returns the processes whose temporary folder it is."""
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"TMPDIR={folder}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return [each for each in found if each != os.getpid()]


def test_a_registered_flavor_is_tested_by_its_name(command: str, project: Project) -> None:
    use_flavor(project, command)
    project.write("elsewhere/.partita/config.toml", "")
    words = ["mine", "--queue=a", "--scenario=parameters-arrive-as-they-are"]
    assert not_claimed(begin(command, *words, cwd=project.folder / "elsewhere")) == set()


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


def test_the_first_failure_of_a_step_is_told_before_the_end_of_what_was_said() -> None:
    failed = "train: failed after 1.2s: ValueError: no luck"
    said = f"train: started\n{failed}\n{'more ' * 200}\nrun x: failed in 1.2s (1 failed)"
    with pytest.raises(Unexpected) as told:
        check_code(Ended(1, "", said), 0)
    assert told.value.seen.startswith(f"1; it said: {failed} …")
    assert told.value.mend == f"see why the step failed: {failed}"


FAILING = """
    from partita import pipeline, step

    @step
    def bad() -> None:
        raise ValueError("no luck")

    @pipeline
    def failing():
        bad()
"""


#: What needs a process for each step of a program.
PROGRAMS_ISOLATION = {
    "an-exit-code-of-a-program-is-told",
    "control-c-cancels-a-program-and-its-steps",
}
OF_PROGRAMS = "--scenario=*-program-*"


@pytest.mark.parametrize(
    ("flavor", "left_out"),
    [
        (["local"], PROGRAMS_ISOLATION),
        (["process", "--max_parallelism=2"], set[str]()),
        ([SANDBOX], set[str]()),
        ([WAVES], set[str]()),
        ([MAKEFILE], set[str]()),
    ],
    ids=lambda value: Path(value[0]).name if isinstance(value, list) else "",
)
def test_orchestrators_run_pipelines_that_are_programs(
    command: str, flavor: list[str], left_out: set[str]
) -> None:
    words = [*flavor, f"--conformance-program={CONFORMANCE}", OF_PROGRAMS]
    assert not_claimed(begin(command, *words)) == left_out


@pytest.mark.parametrize(
    ("folder", "source", "left_out"),
    [
        ("python", "flavors.launcher.JobsOrchestratorFlavor", set[str]()),
        ("python", "flavors.direct.TidyOrchestratorFlavor", PROGRAMS_ISOLATION),
        ("intermediate_representation", "flavors.make.MakeOrchestratorFlavor", set[str]()),
        ("any_language", "./plugin.sh", set[str]()),
    ],
    ids=["launcher", "direct", "delegated", "shell"],
)
def test_orchestrators_in_other_languages_run_pipelines_that_are_programs(
    command: str, folder: str, source: str, left_out: set[str]
) -> None:
    words = [source, f"--conformance-program={CONFORMANCE}", OF_PROGRAMS]
    suite = begin(command, *words, cwd=ROOT / f"examples/custom_orchestrator_{folder}")
    assert not_claimed(suite) == left_out
