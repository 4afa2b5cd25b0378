"""Steps in containers of engines that somebody runs who is not root."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Finished, Project
from docker_engine import Engine, serve
from docker_steps import somebody, write_one
from partita import Client

#: Who runs them.
USER = 12_345


@pytest.fixture(scope="module", params=["rootless.sh", "podman.sh"])
def rootless(request: pytest.FixtureRequest, session_engine: Engine) -> Iterator[Engine]:
    """Docker, or Podman, run by somebody."""
    yield from serve(request.param, session_engine, USER)


@pytest.fixture
def place(rootless: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project where that user and containers get to, and whose engine is theirs."""
    monkeypatch.setenv("DOCKER_HOST", rootless.host)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        made = Project(Path(folder, "project"), Path(folder, "home"))
        made.folder.mkdir()
        monkeypatch.setenv("PARTITA_HOME", str(made.home))
        yield made
    assert rootless.containers() == []


def run(place: Project) -> Finished:
    """Runs the pipeline as that user."""
    above = place.folder.parent
    for path in (above, *above.rglob("*")):
        os.chown(path, USER, USER)
    done = subprocess.run(
        [*somebody(USER), sys.executable, "-m", "partita", "run", '{"target": "main.py"}'],
        cwd=place.folder,
        env=place.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def test_what_containers_of_a_rootless_engine_write_belongs_to_whoever_runs_it(
    place: Project, command: str, rootless: Engine
) -> None:
    rootless.use(command)
    place.write(
        "main.py",
        """
        import os
        from partita import pipeline, step

        @step
        def who() -> int:
            return os.getuid()

        @pipeline
        def line():
            who()
        """,
    )
    done = run(place)
    assert done.code == 0, done
    # Root in there is whoever runs the engine.
    assert Client().get_run("latest").steps["who"].output.load() == 0
    assert {path.stat().st_uid for path in place.store.rglob("*")} == {USER}


@pytest.mark.parametrize("rootless", ["rootless.sh"], indirect=True)
@pytest.mark.parametrize("asked", ['memory="64MiB"', "cpu_count=1"])
def test_an_engine_that_keeps_nobody_to_limits_is_refused_before_the_run(
    place: Project, command: str, rootless: Engine, asked: str
) -> None:
    rootless.use(command)
    write_one(place, "pass", f', settings={{"resources": ResourceSettings({asked})}}')
    refusal = run(place).refusal
    assert "which the engine at" in refusal
    assert "does not enforce, since it has no control groups" in refusal


def test_root_alone_writes_to_the_store_of_whoever_runs_a_rootless_engine(
    place: Project, command: str, rootless: Engine
) -> None:
    rootless.use(command)
    user = ', settings={{"orchestrator.docker": {{"user": "{}"}}}}'
    # The number of whoever runs it is somebody else's in there.
    write_one(place, "pass", user.format(USER))
    assert f"is to run as `{USER}`, who may not write to" in run(place).refusal
    write_one(place, "pass", user.format("0:0"))
    assert run(place).code == 0
    assert {path.stat().st_uid for path in place.store.rglob("*")} == {USER}
