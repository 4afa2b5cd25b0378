"""What an orchestrator that delegates has started ends with the engine of its run."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from conftest import PATIENCE, Project, finish
from process_stack import check_nothing_left, partita, wait_until_gone
from test_rust_ways import MAKEFILE, use
from waiting_run import WAITING

EXAMPLE = Path(__file__).parents[2] / "examples/custom_orchestrator_intermediate_representation"

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="the examples need `make`")

#: Waits in a program that it has started, and ignores what can be ignored.
STUBBORN = """
        if not os.path.exists("go"):
            import subprocess
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            with open("calls.txt", "a") as file:
                print("ready", file=file)
            subprocess.Popen(["sleep", "1000"]).wait()
"""


def wait_until_ready(project: Project, engine: subprocess.Popen[str]) -> None:
    calls, end = project.folder / "calls.txt", time.monotonic() + PATIENCE
    while not (calls.exists() and "ready" in calls.read_text()):
        assert time.monotonic() < end and engine.poll() is None, finish(engine)
        os.sched_yield()


def use_in_python(project: Project, command: str) -> None:
    for file in EXAMPLE.rglob("flavors/*.py"):
        project.write(str(file.relative_to(EXAMPLE)), file.read_text())
    partita(command, "init")
    partita(command, "orchestrator", "flavor", "register", "flavors.make.MakeOrchestratorFlavor")
    partita(command, "orchestrator", "register", "ours", "--flavor=make", "--jobs=2")
    partita(command, "stack", "register", "ours", "-o", "ours", "-a", "default", "--set")


@pytest.mark.parametrize("language", ["python", "rust"])
def test_what_make_runs_ends_with_an_engine_that_is_killed_and_the_run_goes_on(
    project: Project, command: str, language: str
) -> None:
    if language == "python":
        use_in_python(project, command)
    else:
        use(command, MAKEFILE)
    project.write("main.py", WAITING.format(body=STUBBORN.strip(), options=""))
    engine = project.begin("-m", "partita", "run", '{"target": "main.py"}')
    wait_until_ready(project, engine)
    engine.kill()
    finish(engine)
    wait_until_gone(project)
    (project.folder / "go").touch()
    finished = project.resume("latest")
    assert finished.code == 0, finished
    assert project.lines() == ["before", "waits", "ready", "waits", "after"]
    check_nothing_left(project)
