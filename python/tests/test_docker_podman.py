"""Steps in containers of Podman, by its API that is compatible with Docker's: what it does differently."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Project, finish, interrupt
from docker_engine import SCRIPTS, WORKER, Engine
from docker_steps import (
    PRINTS,
    WAITS,
    container_of,
    failed,
    log_of,
    somebody,
    use,
    write_one,
)
from partita import Client
from waiting_run import resume_until_ready, run_until_ready, write_waiting

#: Who runs the Podman that is rootless.
USER = 12_345


def script(verb: str, *, user: int = 0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPTS / "podman.sh", verb],
        env={
            **os.environ,
            "PARTITA_ENGINE": f"{WORKER}-{user}",
            "PARTITA_ENGINE_USER": str(user),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def serve(session_engine: Engine, user: int) -> Iterator[Engine]:
    """Starts Podman, with the image that Docker has."""
    was_up = script("check", user=user).returncode == 0
    up = script("up", user=user)
    if up.returncode != 0:
        why = f"no Podman can be started here: {up.stderr.strip()}"
        if os.environ.get("PARTITA_REQUIRE_DOCKER"):
            pytest.fail(why)
        pytest.skip(why)
    made = Engine(up.stdout.strip(), session_engine.image)
    if not made.docker("images", "--quiet", made.image):
        session_engine.start()
        saved = subprocess.Popen(
            ["docker", "--host", session_engine.host, "save", made.image], stdout=subprocess.PIPE
        )
        loaded = ["docker", "--host", made.host, "load"]
        subprocess.run(loaded, stdin=saved.stdout, check=True, capture_output=True)
        assert saved.wait() == 0
    yield made
    if not was_up:
        script("down", user=user)


@pytest.fixture(scope="module")
def service(session_engine: Engine) -> Iterator[Engine]:
    """Podman, run by root."""
    yield from serve(session_engine, 0)


@pytest.fixture(scope="module")
def rootless(session_engine: Engine) -> Iterator[Engine]:
    """Podman, run by somebody else."""
    yield from serve(session_engine, USER)


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


def test_what_containers_of_a_rootless_engine_write_belongs_to_whoever_runs_it(
    project: Project, command: str, rootless: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", rootless.host)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        place = Project(Path(folder, "project"), Path(folder, "home"))
        place.folder.mkdir()
        monkeypatch.setenv("PARTITA_HOME", str(place.home))
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
        for path in (Path(folder), *Path(folder).rglob("*")):
            os.chown(path, USER, USER)
        run = [*somebody(USER), sys.executable, "-m", "partita", "run", '{"target": "main.py"}']
        done = subprocess.run(
            run, cwd=place.folder, env=place.environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, done
        # Root in there is whoever runs the engine.
        assert Client().get_run("latest").steps["who"].output.load() == 0
        assert {path.stat().st_uid for path in place.store.rglob("*")} == {USER}
        assert rootless.containers() == []
