"""What an engine that was killed leaves in containers: whoever does not resume its run can end it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from conftest import Finished, Project
from docker_engine import Engine
from docker_steps import WAITS, use
from partita import Client
from process_stack import partita
from waiting_run import run_until_ready, write_waiting


@pytest.fixture
def left(project: Project, command: str, engine: Engine, shared: Path) -> str:
    """The id of a run whose engine was killed, and whose container runs on."""
    use(engine, command, shared)
    write_waiting(project, WAITS)
    run = run_until_ready(project, "waits | ready")
    run.kill()
    run.communicate()
    assert len(engine.containers()) == 1
    return Client().get_run("latest").id


def ended(*words: str) -> Finished:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return Finished(done.returncode, done.stdout, done.stderr)


def test_cancelling_ends_what_runs_on(command: str, engine: Engine, left: str) -> None:
    partita(command, "runs", "cancel", left)
    assert engine.containers() == []
    assert Client().get_run(left).status == "interrupted"
    done = ended(command, "runs", "cancel", left)
    assert done.code == 1 and "has nothing to cancel" in done.err, done


def test_deleting_a_run_removes_its_containers(command: str, engine: Engine, left: str) -> None:
    partita(command, "runs", "delete", left)
    assert engine.containers() == []
    assert list(Client().list_runs()) == []


def test_a_run_is_deleted_where_its_containers_cannot_be_reached(
    command: str, engine: Engine, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    done = ended(command, "runs", "cancel", left)
    assert done.code == 3 and "cannot be reached" in done.err, done
    done = ended(command, "runs", "delete", left)
    assert done.code == 0 and "left running is not ended: the Docker engine" in done.err, done
    engine.docker("rm", "--force", *engine.containers())


def test_a_run_that_takes_its_place_ends_what_runs_on(
    project: Project, engine: Engine, left: str, shared: Path
) -> None:
    write_waiting(project, "return 7")
    resumed = project.resume(left)
    assert resumed.code == 0, resumed
    assert Client().get_run("latest").id != left
    assert engine.containers() == []
    assert not (shared / "go").exists()
