"""Whatever kills or interrupts a run, finished steps stay finished and the run can be resumed."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import time

import pytest
from conftest import Project, finish, interrupt

from partita import Client, PartitaError

#: Kills, at moments between the start of the run and its end.
KILLS = 50

#: Each step writes a line when it begins, so that a second run of it is seen. `middle` makes
#: files, which take more writes than a small value.
LINES = """
    import sys
    from partita import pipeline, step

    def note(text: str) -> None:
        with open("calls.txt", "a") as file:
            file.write(text + chr(10))

    @step(enable_cache=False)
    def first() -> int:
        note("first")
        print("running", flush=True)
        return 1

    @step(enable_cache=False)
    def middle(number: int, which: int) -> bytes:
        note(f"middle_{which}")
        return bytes([number + which]) * 50_000

    @step(enable_cache=False)
    def last(parts: list) -> int:
        note("last")
        return sum(part[0] for part in parts)

    @pipeline
    def lines():
        number = first()
        last([middle(number, which=which, id=f"middle_{which}") for which in range(10)])

    if __name__ == "__main__":
        print("ready", flush=True)
        lines()
        print("over", flush=True)
"""

#: Waits, in the way that `{wait}` says, until a signal comes.
WAITING = """
    import os, signal, sys, time
    from partita import StepRetryConfig, pipeline, step

    def ready() -> None:
        print("ready", flush=True)

    def note(text: str) -> None:
        with open("calls.txt", "a") as file:
            file.write(text + chr(10))

    @step(enable_cache=False)
    def before() -> int:
        note("before")
        return 1

    @step(enable_cache=False{options})
    def waits(number: int) -> int:
        note("waits")
        {body}
        return number

    @step(enable_cache=False)
    def after(number: int) -> int:
        note("after")
        return number

    @pipeline
    def waiting():
        after(waits(before()))

    if __name__ == "__main__":
        waiting()
"""

IN_A_STEP = """
        try:
            ready()
            signal.pause()
        except KeyboardInterrupt:
            note("interrupted")
            raise
"""


def write_waiting(project: Project, body: str, options: str = "") -> None:
    project.write("main.py", WAITING.format(body=body.strip(), options=options))


def run_until_ready(project: Project) -> subprocess.Popen[str]:
    process = project.begin("-m", "partita", "run", '{"target": "main.py"}')
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def begun(project: Project, line: str) -> subprocess.Popen[str]:
    """Starts the script and waits until it has written a line."""
    process = project.begin("main.py")
    assert process.stdout is not None
    for text in process.stdout:
        if text.strip() == line:
            return process
    raise AssertionError(finish(process))


def time_lines(project: Project, lines: list[str], last: str) -> dict[str, float]:
    """Returns how long after each of these lines the script writes the last one, in seconds."""
    process = project.begin("main.py")
    assert process.stdout is not None
    times = {text.strip(): time.monotonic() for text in process.stdout}
    assert finish(process).code == 0
    return {line: times[last] - times[line] for line in lines}


def check_untouched(run_id: str) -> list[str]:
    """Checks that every committed value is whole; returns the steps that are committed."""
    steps = Client().get_run(run_id).steps
    finished = [name for name, step in steps.items() if step.status == "completed"]
    for name in finished:
        value = steps[name].output.load()
        which = int(name.removeprefix("middle_")) if name.startswith("middle") else 0
        expected = {"first": 1, "last": 55}.get(name, bytes([1 + which]) * 50_000)
        assert value == expected, name
    return finished


def test_a_killed_run_is_interrupted_and_resumes_without_running_finished_steps_again(
    project: Project,
) -> None:
    project.write("main.py", LINES)
    lengths = time_lines(project, ["ready", "running"], "over")
    everything = list(Client().get_run("latest").steps)
    moments = random.Random(2026)
    seen = {"interrupted": 0, "completed": 0, "none": 0}
    for kill in range(KILLS):
        known = {run.id for run in Client().list_runs()}
        (project.folder / "calls.txt").unlink(missing_ok=True)
        line = "running" if kill % 5 else "ready"
        process = begun(project, line)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=moments.uniform(0, lengths[line]))
        process.kill()
        finish(process)
        new = [run for run in Client().list_runs() if run.id not in known]
        if not new:  # It was killed before the run had begun.
            assert project.lines() == []
            seen["none"] += 1
            continue
        (run,) = new
        seen[run.status] += 1
        finished = check_untouched(run.id)
        before = project.lines()
        assert set(finished) <= set(before)
        if run.status == "completed":
            assert finished == everything
            continue
        resumed = project.resume(run.id)
        assert resumed.code == 0, resumed
        assert Client().get_run(run.id).status == "completed"
        assert check_untouched(run.id) == everything
        again = project.lines()[len(before) :]
        assert not set(again) & set(finished), (finished, again)
        assert set(project.lines()) == set(everything)
    assert seen["interrupted"] >= KILLS // 3, seen


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_a_signal_during_a_step_cancels_the_run(
    project: Project, number: signal.Signals, code: int
) -> None:
    retry = ", retry=StepRetryConfig(max_retries=3)"
    write_waiting(project, IN_A_STEP, retry)
    ended = interrupt(run_until_ready(project), number)
    assert ended.code == code, ended
    ended.check_no_faults()
    assert Client().get_run("latest").status == "cancelled"
    assert project.statuses() == {
        "before": "completed",
        "waits": "cancelled",
        "after": "cancelled",
    }
    assert project.lines() == ["before", "waits", "interrupted"]


def test_a_cancelled_run_resumes_where_it_was(project: Project) -> None:
    write_waiting(project, 'os.path.exists("go") or (ready(), signal.pause())')
    interrupt(run_until_ready(project))
    project.write("go", "")
    resumed = project.resume("latest")
    assert resumed.code == 0, resumed
    assert set(project.statuses().values()) == {"completed"}
    assert project.lines() == ["before", "waits", "waits", "after"]


def test_a_signal_between_two_steps_cancels_the_run_before_the_next(project: Project) -> None:
    body = "signal.raise_signal(signal.SIGINT) if False else os.kill(os.getpid(), signal.SIGINT)"
    del body
    write_waiting(project, "hold()")
    project.write("hold.py", "")
    script = (project.folder / "main.py").read_text()
    project.write("main.py", script.replace("hold()", "pass"))
    project.write("other.py", BETWEEN)
    ended = project.run("other.py")
    assert ended.code == 130, ended
    assert project.statuses() == {"one": "completed", "two": "cancelled"}
    assert project.lines() == ["one"]
