"""Steps in containers of Podman, by its API that is compatible with Docker's: what it does differently."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Project, finish, interrupt
from docker_engine import Engine, run_script, serve
from docker_steps import PRINTS, WAITS, container_of, failed, log_of, use, with_people, write_one
from image_parents import bare
from image_stack import built
from image_stack import use as use_images
from partita import Client
from waiting_run import resume_until_ready, run_until_ready, write_waiting


def script(verb: str) -> None:
    run_script("podman.sh", verb, {})


@pytest.fixture(scope="module")
def service(session_engine: Engine) -> Iterator[Engine]:
    """Podman, run by root."""
    yield from serve("podman.sh", session_engine)


@pytest.fixture
def podman(service: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Podman, which runs and has no containers before a test and after it."""
    monkeypatch.setenv("DOCKER_HOST", service.host)
    script("up")
    assert service.containers() == []
    yield service
    script("up")
    left = service.containers()
    if left:
        service.docker("rm", "--force", *left)
    assert left == []


def test_steps_run_are_cached_and_leave_nothing(
    project: Project, command: str, podman: Engine
) -> None:
    podman.use(command)
    project.write(
        "main.py",
        """
        import os
        from partita import pipeline, step

        @step
        def first() -> int:
            print("in", os.getcwd())
            return os.getuid()

        @step
        def second(number: int) -> list[int]:
            return [number]

        @pipeline
        def line():
            second(first())
        """,
    )
    done = project.run()
    assert done.code == 0, done
    assert "first | in /tmp/partita-code-" in done.out + done.err
    assert Client().get_run("latest").steps["second"].output.load() == [os.getuid()]
    assert {path.stat().st_uid for path in project.store.rglob("*")} == {os.getuid()}
    assert podman.containers() == []
    assert project.run().code == 0
    assert set(project.statuses().values()) == {"cached"}


def test_the_users_of_an_image_are_known(project: Project, command: str, podman: Engine) -> None:
    podman.use(command, parent_image=with_people(podman))
    user = ', settings={{"orchestrator.docker": {{"user": "{}"}}}}'
    for asked, said in [
        ("app", "to run as `app`, who may not write to"),
        ("nosuch", "has no user `nosuch`"),
    ]:
        write_one(project, "pass", user.format(asked))
        assert said in project.run().refusal
    write_one(project, "pass", user.format("root"))
    assert project.run().code == 0


def test_an_image_is_built_layer_by_layer(project: Project, command: str, podman: Engine) -> None:
    use_images(command, "native", bare(podman))
    write_one(project, "return 7")
    done = project.run()
    assert done.code == 0, done
    assert "is built, in" in done.err
    assert project.run().code == 0
    (image,) = built(podman)
    podman.docker("rmi", "--force", image)


def test_an_exit_code_is_told(project: Project, command: str, podman: Engine) -> None:
    podman.use(command)
    write_one(project, "os._exit(7)")
    assert project.run().code == 1
    assert "its container ended with exit code 7 before the step returned" in failed()


def test_a_step_that_takes_too_much_memory_is_told_so(
    project: Project, command: str, podman: Engine
) -> None:
    # Podman does not say that memory ran out.
    podman.use(command)
    options = ', settings={"resources": ResourceSettings(memory="64MiB")}'
    write_one(project, "held = bytearray(200_000_000); del held", options)
    assert project.run().code == 1
    assert "the 64MiB of memory that the step asks for" in failed()


def test_a_cancelled_step_that_ignores_signals_is_killed(
    project: Project, command: str, podman: Engine, shared: Path
) -> None:
    use(podman, command, shared, grace="0.2s")
    write_waiting(project, "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + WAITS)
    run = run_until_ready(project, "waits | ready")
    assert interrupt(run).code == 130
    assert project.statuses()["waits"] == "cancelled"


def test_a_step_whose_engine_is_killed_goes_on_and_is_found_again(
    project: Project, command: str, podman: Engine, shared: Path
) -> None:
    use(podman, command, shared)
    write_waiting(project, PRINTS)
    run = run_until_ready(project, "waits | printed early")
    run.kill()
    run.communicate()
    resumed = resume_until_ready(project, "waits | printed early")
    (shared / "go").touch()
    finished = finish(resumed)
    assert finished.code == 0, finished
    assert (shared / "calls").read_text() == "called "
    assert log_of("waits") == ["printed early", "ready", "printed late"]


def test_a_container_that_is_removed_by_hand_is_a_failed_attempt(
    project: Project, command: str, podman: Engine, shared: Path
) -> None:
    use(podman, command, shared)
    write_waiting(project, WAITS)
    run = run_until_ready(project, "waits | ready")
    podman.docker("rm", "--force", container_of(podman))
    assert finish(run).code == 1
    assert "its container was" in failed("waits")


def test_a_step_outlives_the_service_that_started_it(
    project: Project, command: str, podman: Engine, shared: Path
) -> None:
    use(podman, command, shared)
    write_waiting(project, PRINTS)
    run = run_until_ready(project, "waits | printed early")
    script("down")
    (shared / "go").touch()
    script("up")
    finished = finish(run)
    assert finished.code == 0, finished
    assert (shared / "calls").read_text() == "called "
