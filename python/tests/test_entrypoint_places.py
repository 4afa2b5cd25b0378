"""A step entrypoint in places that are not its author's: read-only, and another user's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import PATIENCE, Project, finish
from partita import Client
from partita.entrypoints import StepEntrypointConfiguration
from process_stack import use_process

#: Waits to be killed, so that a run is left whose next attempt is somebody else's.
WAITS = """
    import os, time
    from pathlib import Path
    from partita import pipeline, step

    @step
    def makes() -> Path:
        if os.environ.get("ENGINE"):
            os.kill(os.getppid(), 9)
            time.sleep(1000)
        Path("made.txt").write_text(f"by {os.getuid()}")
        return Path("made.txt")

    @pipeline
    def main():
        makes()
"""


@pytest.fixture
def arguments(project: Project, command: str) -> list[str]:
    """The arguments that make the second attempt at a step of a run whose engine is gone."""
    use_process(command)
    project.write("main.py", WAITS)
    engine = project.begin("-m", "partita", "run", '{"target": "main.py"}', env={"ENGINE": "1"})
    events = "attempt_started"
    while events not in "".join(path.read_text() for path in project.store.glob("runs/*/events*")):
        assert engine.poll() is None
        os.sched_yield()
    engine.kill()
    finish(engine)
    run = Client().get_run("latest").id
    header = json.loads((project.store / "runs" / run / "run.json").read_text())
    return StepEntrypointConfiguration.get_entrypoint_arguments(
        artifact_store=f"file://{project.store}",
        deployment_id=header["deployment_id"],
        run_id=run,
        step_name="makes",
    )


def enter(project: Project, scratch: Path, before: list[str], arguments: list[str]) -> None:
    """Runs the step entrypoint in `scratch`, by way of the command `before`."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*before, *words],
            cwd=scratch,
            env=project.environment(TMPDIR=str(scratch), HOME=str(scratch)),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    if shutil.which(before[0]) is None or "permitted" in run("true").stderr:
        pytest.skip(f"`{before[0]}` may not be used here")
    done = run(sys.executable, "-m", "partita.entrypoints.entrypoint", *arguments)
    assert done.returncode == 0, done


def test_an_entrypoint_needs_to_write_to_its_scratch_folder_and_the_store_alone(
    project: Project, tmp_path: Path, arguments: list[str]
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    keep = f"mount --bind {project.store} {project.store} && mount --bind {scratch} {scratch}"
    check = f"! touch {project.folder}/written 2> {scratch}/refused"
    script = f'{keep} && mount -o remount,ro,bind / && {check} && cd {scratch} && exec "$@"'
    enter(project, scratch, ["unshare", "--mount", "sh", "-ec", script, "sh"], arguments)
    assert (scratch / "refused").read_text()
    assert made(project) == f"by {os.getuid()}"


def test_an_entrypoint_runs_as_any_user_who_may_write_to_the_store(
    project: Project, tmp_path: Path, arguments: list[str]
) -> None:
    if os.getuid() != 0:
        pytest.skip("only root may become another user")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for path in (scratch, project.store, *project.store.rglob("*")):
        os.chown(path, 65_534, 65_534)
    # It may read what it runs, wherever that is installed.
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    user += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    enter(project, scratch, user, arguments)
    assert made(project) == "by 65534"


def made(project: Project) -> str:
    """Returns what the step wrote."""
    (path,) = project.store.glob("artifacts/*/*/**/made.txt")
    return path.read_text()
