"""An entrypoint that counts attempts by itself makes each in a process that it watches."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from conftest import PATIENCE, Project, finish
from partita import Client
from partita.entrypoints import StepEntrypointConfiguration
from test_rust_orchestrators import SANDBOX

PIPELINE = """
    import os
    import time
    from pathlib import Path
    from partita import pipeline, step

    @step
    def waits():
        if os.environ.get("PARTITA_TEST_STOPS"):
            os._exit(9)
        Path("pid.txt").write_text(str(os.getpid()))
        try:
            while True:
                os.sched_yield()
        except KeyboardInterrupt:
            end = time.monotonic() + 0.3
            while time.monotonic() < end:
                os.sched_yield()
            Path("tidied.txt").touch()
            raise

    @pipeline
    def waiting():
        waits()

    if __name__ == "__main__":
        waiting()
"""


#: Becomes the executable of a plugin, with the process of the Python that is told to.
BECOMES = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"


@pytest.fixture(params=["itself", "in an executable"])
def started(project: Project, request: pytest.FixtureRequest) -> list[str]:
    """The command that runs a step of a run whose engine has died."""
    project.write("main.py", PIPELINE)
    assert project.python("main.py", env={"PARTITA_TEST_STOPS": "1"}).code == 9
    run = Client().get_run("latest")
    header = json.loads((project.store / "runs" / run.id / "run.json").read_text())
    arguments = StepEntrypointConfiguration.get_entrypoint_arguments(
        artifact_store=f"file://{project.store.resolve()}",
        deployment_id=header["deployment_id"],
        run_id=run.id,
        step_name="waits",
    )
    entrypoint = ["-m", "partita.entrypoints.entrypoint"]
    if request.param == "itself":
        return [*entrypoint, *arguments]
    options = map("=".join, zip(arguments[::2], arguments[1::2], strict=True))
    own = [SANDBOX, "entrypoint", sys.executable, *entrypoint, *options, "--namespaces=pid"]
    return ["-c", BECOMES, *own]


def wait_for(project: Project, path: Path) -> int:
    """Waits until the step runs; returns its process."""
    end = time.monotonic() + PATIENCE
    while not path.exists() or not path.read_text():
        assert time.monotonic() < end
        os.sched_yield()
    return int(path.read_text())


def wait_until_gone(process: int) -> None:
    end = time.monotonic() + PATIENCE
    while Path(f"/proc/{process}").exists():
        assert time.monotonic() < end
        os.sched_yield()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_a_signal_to_the_entrypoint_interrupts_its_step(
    project: Project, started: list[str], number: signal.Signals, code: int
) -> None:
    entrypoint = project.begin(*started)
    step = wait_for(project, project.folder / "pid.txt")
    assert step != entrypoint.pid
    entrypoint.send_signal(number)
    done = finish(entrypoint)
    assert done.code == code, done
    assert not Path(f"/proc/{step}").exists()
    run = Client().get_run("latest")
    [left] = (project.store / "runs" / run.id / "steps").glob("*.attempt-1.json")
    assert json.loads(left.read_text())["status"] == "cancelled"


def test_a_step_that_its_whole_group_is_told_to_end_tidies_up(
    project: Project, started: list[str]
) -> None:
    entrypoint = project.begin(*started, start_new_session=True)
    wait_for(project, project.folder / "pid.txt")
    os.killpg(entrypoint.pid, signal.SIGTERM)
    done = finish(entrypoint)
    assert done.code == 143, done
    assert (project.folder / "tidied.txt").exists()


def test_a_step_ends_with_its_entrypoint(project: Project, started: list[str]) -> None:
    entrypoint = project.begin(*started)
    step = wait_for(project, project.folder / "pid.txt")
    entrypoint.kill()
    finish(entrypoint)
    wait_until_gone(step)
