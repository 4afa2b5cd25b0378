"""What programs in Rust say by `tracing`, in the logs of their steps."""

from __future__ import annotations

import pytest

from conftest import Project
from partita import Client
from process_stack import use_process
from rust_programs import LOGGING, start


def logs() -> dict[str, list[str]]:
    """The lines in the log of each step of the latest run."""
    run = Client().get_run("latest")
    return {name: step.log.splitlines() for name, step in run.steps.items()}


@pytest.fixture(params=["local", "process"])
def place(request: pytest.FixtureRequest, project: Project, command: str) -> str:
    """Each place where steps run."""
    if request.param == "process":
        use_process(command)
    return str(request.param)


def test_events_are_in_the_logs_of_their_steps_with_level_and_fields(place: str) -> None:
    done = start(LOGGING, "run", env={"RUST_LOG": ""})
    assert done.returncode == 0, done
    assert logs()["count"] == [
        " INFO logging: counting texts=2",
        " WARN text{letters=0}: logging: a text has no words",
    ]
    assert " INFO logging: the sum is 2" in done.stderr
    assert "counting" not in done.stdout


def test_events_stand_among_what_a_step_prints(project: Project) -> None:
    assert start(LOGGING, "run", env={"RUST_LOG": "logging=info"}).returncode == 0
    assert logs()["add"] == ["adding 2 counts", " INFO logging: the sum is 2", "added"]


def test_the_environment_says_which_events_are_wanted(place: str) -> None:
    assert start(LOGGING, "run", env={"RUST_LOG": "off,logging=debug"}).returncode == 0
    count = logs()["count"]
    assert "DEBUG text{letters=7}: logging: counted count=2" in count
    assert len(count) == 4
    assert start(LOGGING, "run", "--no-cache", env={"RUST_LOG": "warn"}).returncode == 0
    assert logs()["count"] == [" WARN logging: a text has no words"]
    assert logs()["add"] == ["adding 2 counts", "added"]


def test_an_environment_that_is_not_understood_is_told_of(project: Project) -> None:
    done = start(LOGGING, "run", env={"RUST_LOG": "logging=loud"})
    assert done.returncode == 0, done
    assert "`RUST_LOG` is not understood, and `info` is taken instead" in done.stderr
    assert " INFO logging: counting texts=2" in logs()["count"]
