"""The example of a launcher runs steps through a remote shell, and finds them again."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from conftest import PATIENCE, Project, finish
from partita import Client
from process_stack import partita

EXAMPLE = Path(__file__).parents[2] / "examples/custom_orchestrator_launcher"
SOURCE = "flavors.remote.RemoteOrchestratorFlavor"

#: As `ssh` does: it takes a host and a command, and gives that no environment of this side.
FAR = """#!/bin/sh
echo "$1" >>hosts.txt
[ -e away ] && { rm away; exit 255; }
shift
exec env -i PATH="$PATH" PYTHONPATH="$PYTHONPATH" "$@"
"""

PIPELINE = """
    import os
    import time
    from pathlib import Path

    from partita import pipeline, step

    @step
    def slow() -> int:
        with Path("calls.txt").open("a") as calls:
            print(os.environ.get("PARTITA_HOME"), file=calls)
        while not Path("go").exists():
            time.sleep(0.01)
        return 7

    @pipeline
    def line():
        slow()
"""


def use_remote(project: Project, command: str, *options: str) -> None:
    """Makes a stack with the example's orchestrator the active one."""
    shutil.copytree(EXAMPLE, project.folder, dirs_exist_ok=True)
    partita(command, "init")
    partita(command, "orchestrator", "flavor", "register", SOURCE)
    partita(command, "orchestrator", "register", "remote", "--flavor=remote", *options)
    partita(command, "stack", "register", "remote", "-o", "remote", "-a", "default", "--set")


def test_steps_run_through_a_shell_that_is_away_for_a_while(project: Project, command: str) -> None:
    far = project.write("far", FAR)
    far.chmod(0o755)
    use_remote(project, command, '--shell=["./far", "gpu01", "sh"]')
    project.write("main.py", PIPELINE)
    run = project.begin("-m", "partita", "run", json.dumps({"target": "main.py"}))
    wait_for(project.folder / "calls.txt")
    (project.folder / "away").touch()
    while (project.folder / "away").exists():
        assert run.poll() is None
        time.sleep(0.005)
    (project.folder / "go").touch()
    assert finish(run).code == 0
    assert project.lines() == ["None"]
    assert set(project.lines("hosts.txt")) == {"gpu01"}


def test_a_resumed_run_goes_on_with_the_job_that_still_runs(project: Project, command: str) -> None:
    use_remote(project, command)
    project.write("main.py", PIPELINE)
    run = project.begin("-m", "partita", "run", json.dumps({"target": "main.py"}))
    wait_for(project.folder / "calls.txt")
    run.kill()
    finish(run)
    (project.folder / "go").touch()
    partita(command, "runs", "resume", "latest")
    resumed = Client().get_run("latest")
    assert (resumed.status, resumed.steps["slow"].output.load()) == ("completed", 7)
    assert len(resumed.steps["slow"].attempts) == len(project.lines()) == 1


def wait_for(path: Path) -> None:
    """Waits until a step has written a file."""
    end = time.monotonic() + PATIENCE
    while not (path.exists() and path.stat().st_size):
        assert time.monotonic() < end, f"there is no {path}"
        time.sleep(0.005)
