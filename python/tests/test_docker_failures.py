"""What goes wrong with containers and their engine: each is told, and nothing is lost or left."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from conftest import Project, finish, interrupt
from docker_engine import Engine
from docker_steps import PRINTS, WAITS, container_of, failed, log_of, use, write_one
from partita import Client
from process_stack import partita
from waiting_run import resume_until_ready, run_until_ready, write_waiting


@pytest.mark.parametrize("host", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1"])
def test_without_an_engine_no_run_begins(
    project: Project, command: str, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    words = ("--flavor=docker", "--parent_image=python")
    partita(command, "orchestrator", "register", "boxed", *words)
    partita(command, "stack", "register", "boxed", "-o", "boxed", "-a", "default", "--set")
    monkeypatch.setenv("DOCKER_HOST", host)
    write_one(project, "pass")
    finished = project.run()
    assert finished.code == 3, finished
    assert f"the Docker engine at `{host}` cannot be reached: " in finished.err
    assert "start it, or say where it is with `DOCKER_HOST`" in finished.err
    assert list(Client().list_runs()) == []


def test_an_image_that_is_not_there_is_missed_before_the_run(
    project: Project, command: str, engine: Engine
) -> None:
    engine.use(command, parent_image="partita-test/nowhere:7")
    write_one(project, "pass")
    refusal = project.run().refusal
    assert "step `one` runs in the image `partita-test/nowhere:7`, which the engine" in refusal
    assert "pull or build it there" in refusal


def test_an_image_of_another_architecture_is_refused_before_the_run(
    project: Project, command: str, engine: Engine, tmp_path: Path
) -> None:
    archive = tmp_path / "image.tar"
    with tarfile.open(archive, "w") as tar:
        layer = io.BytesIO()
        tarfile.open(fileobj=layer, mode="w").close()
        configuration = {"architecture": "s390x", "os": "linux", "rootfs": {"type": "layers"}}
        manifest = [{"Config": "c.json", "RepoTags": ["partita-test/s390x:1"], "Layers": []}]
        documents = {"c.json": configuration, "manifest.json": manifest}
        for name, document in documents.items():
            content = json.dumps(document).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    engine.docker("load", "--input", str(archive))
    engine.use(command, parent_image="partita-test/s390x:1")
    write_one(project, "pass")
    refusal = project.run().refusal
    assert "which is made for `s390x`, and the engine at" in refusal
    image = 'DockerSettings(parent_image="partita-test/s390x:1")'
    write_one(project, "pass", f', settings={{"docker": {image}}}')
    assert "build on one that is made for it" in project.run().refusal


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("os._exit(7)", "its container ended with exit code 7 before the step returned"),
        ("os._exit(0)", "says that the attempt completed, but the step is not committed"),
        ("os.kill(1, signal.SIGTERM); time.sleep(60)", "exit code 143"),
    ],
)
def test_the_record_of_an_attempt_says_how_its_container_ended(
    project: Project, command: str, engine: Engine, body: str, message: str
) -> None:
    engine.use(command)
    write_one(project, body)
    assert project.run().code == 1
    assert message in failed() or "SIGTERM" in failed()


def test_a_step_that_takes_more_memory_than_it_asked_for_is_ended(
    project: Project, command: str, engine: Engine
) -> None:
    engine.use(command)
    options = ', settings={"resources": ResourceSettings(memory="64MiB")}'
    write_one(project, "held = bytearray(200_000_000); del held", options)
    assert project.run().code == 1
    assert "its container ran out of the 64MiB of memory that the step asks for" in failed()


def test_a_container_that_is_killed_by_hand_is_a_failed_attempt_that_is_made_again(
    project: Project, command: str, engine: Engine, shared: Path
) -> None:
    use(engine, command, shared)
    write_waiting(project, WAITS, ", retry=StepRetryConfig(max_retries=1)")
    run = run_until_ready(project, "waits | ready")
    container = container_of(engine)
    engine.docker("kill", container)
    (shared / "go").touch()
    assert finish(run).code == 0
    first, second = Client().get_run("latest").steps["waits"].attempts
    assert "its container was ended by SIGKILL" in (first["error"] or "")
    assert second["status"] == "completed"


def test_a_container_that_is_removed_by_hand_is_a_failed_attempt(
    project: Project, command: str, engine: Engine, shared: Path
) -> None:
    use(engine, command, shared)
    write_waiting(project, WAITS)
    run = run_until_ready(project, "waits | ready")
    engine.docker("rm", "--force", container_of(engine))
    assert finish(run).code == 1
    assert "its container was" in failed("waits")


def test_a_cancelled_step_that_ignores_signals_is_killed(
    project: Project, command: str, engine: Engine, shared: Path
) -> None:
    use(engine, command, shared, grace="0.2s")
    write_waiting(
        project,
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        """
        + WAITS,
    )
    run = run_until_ready(project, "waits | ready")
    assert interrupt(run).code == 130
    statuses = project.statuses()
    assert (statuses["before"], statuses["waits"]) == ("completed", "cancelled")


def test_a_cancelled_step_may_tidy_up(
    project: Project, command: str, engine: Engine, shared: Path
) -> None:
    use(engine, command, shared)
    write_waiting(
        project,
        """
        try:
            ready()
            time.sleep(1000)
        finally:
            open("/shared/tidy", "w").close()
        """,
    )
    run = run_until_ready(project, "waits | ready")
    assert interrupt(run).code == 130
    assert (shared / "tidy").exists()


def test_a_step_whose_engine_is_killed_goes_on_and_is_found_again(
    project: Project, command: str, engine: Engine, shared: Path
) -> None:
    use(engine, command, shared)
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


def test_a_step_that_ended_without_an_engine_is_not_run_again(
    project: Project, command: str, engine: Engine, shared: Path
) -> None:
    use(engine, command, shared)
    write_waiting(project, PRINTS)
    run = run_until_ready(project, "waits | printed early")
    run.kill()
    run.communicate()
    (shared / "go").touch()
    engine.docker("wait", container_of(engine))
    assert project.resume("latest").code == 0
    assert (shared / "calls").read_text() == "called "
    assert log_of("waits") == ["printed early", "ready", "printed late"]


def test_a_run_whose_engine_is_stopped_fails_and_is_resumed(
    project: Project, command: str, engine: Engine, shared: Path
) -> None:
    use(engine, command, shared, patience="1s")
    write_waiting(project, WAITS, ", retry=StepRetryConfig(max_retries=1)")
    run = run_until_ready(project, "waits | ready")
    engine.stop()
    finished = finish(run)
    assert finished.code == 1, finished
    assert "the Docker engine at" in finished.err
    assert "cannot be reached" in finished.err
    assert project.resume("latest").code == 3
    engine.start()
    (shared / "go").touch()
    assert project.resume("latest").code == 0
    assert set(project.statuses().values()) == {"completed"}


def test_a_run_goes_on_when_its_engine_is_started_again(
    project: Project, command: str, engine: Engine, shared: Path
) -> None:
    use(engine, command, shared)
    write_waiting(project, WAITS, ", retry=StepRetryConfig(max_retries=1)")
    run = run_until_ready(project, "waits | ready")
    engine.crash()
    (shared / "go").touch()
    engine.start()
    finished = finish(run)
    assert finished.code == 0, finished
    assert set(project.statuses().values()) == {"completed"}


def test_a_run_goes_on_when_its_engine_was_stopped_and_started_in_time(
    project: Project, command: str, engine: Engine, shared: Path
) -> None:
    use(engine, command, shared)
    write_waiting(project, WAITS, ", retry=StepRetryConfig(max_retries=1)")
    run = run_until_ready(project, "waits | ready")
    engine.stop()  # It ends its containers.
    (shared / "go").touch()
    engine.start()
    finished = finish(run)
    assert finished.code == 0, finished
    first, second = Client().get_run("latest").steps["waits"].attempts
    assert "its container was ended with the engine, which was stopped" in (first["error"] or "")
    assert second["status"] == "completed"


def test_gpus_are_asked_of_the_engine_by_device_requests(
    project: Project, command: str, engine: Engine
) -> None:
    # This machine has none: the engine is asked for one by name, and says that it has no driver.
    engine.use(command, gpus=["0", "1"], remove="never")
    write_one(project, "pass", ', settings={"resources": ResourceSettings(gpu_count=1)}')
    assert project.run().code == 1
    assert "could not select device driver" in failed()
    assert "need NVIDIA's driver and its container toolkit" in failed()
    (container,) = engine.containers()
    (request,) = engine.inspected(container)["HostConfig"]["DeviceRequests"]
    assert (request["DeviceIDs"], request["Capabilities"]) == (["0"], [["gpu"]])
    engine.docker("rm", container)


def test_what_the_engine_refuses_is_told_in_its_words(
    project: Project, command: str, engine: Engine
) -> None:
    engine.use(command, cpuset="4000")
    write_one(project, "pass")
    assert project.run().code == 1
    assert "its container could not be started: " in failed()
    assert "4000" in failed()
    assert os.listdir(project.store / "code")


def test_a_network_that_is_not_there_is_refused_before_the_run(
    project: Project, command: str, engine: Engine
) -> None:
    engine.use(command, network="no-such-network")
    write_one(project, "pass")
    message = project.run().refusal
    assert "step `one` is to be in the network `no-such-network`, which the engine" in message
    assert Client().list_runs() == []
