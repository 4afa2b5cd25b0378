"""Orchestrators in Rust that go through the steps by themselves: they run them, or delegate."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from conftest import Project
from partita import Client
from process_stack import check_nothing_left, partita
from test_rust_orchestrators import ROOT

#: A direct orchestrator, and one that delegates.
WAVES, MAKEFILE = (
    str(ROOT / f"target/debug/{name}-orchestrator") for name in ("waves", "makefile")
)

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="the example needs `make`")


def use(command: str, executable: str, *options: str) -> None:
    """Makes a stack whose orchestrator is one of an executable the active one."""
    partita(command, "orchestrator", "flavor", "register", executable)
    flavor = "waves" if executable == WAVES else "makefile"
    partita(command, "orchestrator", "register", "ours", f"--flavor={flavor}", *options)
    partita(command, "stack", "register", "ours", "-o", "ours", "-a", "default", "--set")


def kept(project: Project, run_id: str) -> str:
    """Returns what the orchestrator made of the pipeline of a run."""
    return (project.store / "runs" / run_id / "orchestrators/ours.representation").read_text()


PIPELINE = """
    import os
    from pathlib import Path
    from partita import StepRetryConfig, get_step_context, pipeline, step

    @step(enable_cache=False)
    def where() -> int:
        return os.getpid()

    @step(retry=StepRetryConfig(max_retries=1))
    def flaky() -> int:
        attempt = get_step_context().attempt
        if attempt == 1:
            raise ValueError("no luck")
        return attempt

    @step
    def together(process: int, attempt: int) -> int:
        return attempt + 1

    @pipeline
    def ways():
        together(where(), flaky())
"""


def check_ways(project: Project) -> str:
    """Runs the pipeline twice; checks what became of its steps, and returns the id of a run."""
    project.write("main.py", PIPELINE)
    first, second = project.run(), project.run()
    assert (first.code, second.code) == (0, 0), (first, second)
    later, earlier = Client().list_runs()
    assert earlier.steps["together"].output.load() == 3
    attempts = [attempt["status"] for attempt in earlier.steps["flaky"].attempts]
    assert attempts == ["failed", "completed"]
    assert later.steps["flaky"].cached and not later.steps["where"].cached
    processes = {run.steps["where"].output.load() for run in (earlier, later)}
    assert len(processes) == 2
    return earlier.id


def test_a_direct_orchestrator_in_rust_runs_steps(project: Project, command: str) -> None:
    use(command, WAVES)
    run = check_ways(project)
    assert kept(project, run) == "where flaky\ntogether"


@needs_make
def test_an_orchestrator_in_rust_delegates(project: Project, command: str) -> None:
    use(command, MAKEFILE)
    run = check_ways(project)
    rules = [line for line in kept(project, run).splitlines() if line.startswith("step-")]
    assert rules == ["step-0: ", "step-1: ", "step-2: step-1 step-0"]


LATE = """
    import subprocess, time
    from partita import pipeline, step

    @step(timeout="1s")
    def late() -> int:
        subprocess.Popen(["sleep", "60"]).wait()
        return 1

    @pipeline
    def main():
        late()
"""


def test_a_step_of_a_direct_one_in_rust_ends_when_its_time_is_over(
    project: Project, command: str
) -> None:
    use(command, WAVES)
    project.write("main.py", LATE)
    done = project.run()
    assert done.code == 1 and "timed out after 1s" in done.err, done
    check_nothing_left(project)


LEAVES = """
    import subprocess
    from partita import pipeline, step

    @step
    def leaves() -> int:
        subprocess.Popen(["sleep", "1000"])
        return 1

    @pipeline
    def main():
        leaves()
"""


def test_what_a_step_of_a_direct_one_in_rust_leaves_behind_ends_with_it(
    project: Project, command: str
) -> None:
    use(command, WAVES)
    project.write("main.py", LEAVES)
    done = project.run()
    assert done.code == 0, done
    check_nothing_left(project)


@needs_make
def test_an_orchestrator_in_rust_submits_a_run_and_does_not_wait(
    project: Project, command: str
) -> None:
    use(command, MAKEFILE, "--submit=true")
    project.write("main.py", PIPELINE)
    done = project.run()
    assert done.code == 0 and "is submitted to `ours`" in done.err, done
    subprocess.run([command, "runs", "watch", "latest"], check=True, capture_output=True)
    run = Client().get_run("latest")
    assert (run.status, run.steps["together"].output.load()) == ("completed", 3)


@needs_make
def test_what_nobody_keeps_to_is_refused_where_one_in_rust_delegates(
    project: Project, command: str
) -> None:
    use(command, MAKEFILE)
    project.write("main.py", PIPELINE.replace("@step\n", '@step(limits={"license": 1})\n'))
    done = project.run()
    assert done.code == 1 and "orchestrator `ours` goes through the steps by itself" in done.err
    assert Client().list_runs() == []
