"""Images in a real container registry: given, taken, refused."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from conftest import Project
from docker_engine import Engine
from image_parents import bare
from image_registry import PASSWORD, USERS, Registry, use_password, use_registry
from image_stack import built
from partita import Client
from process_stack import partita

ONE = """
    from partita import pipeline, step

    @step(enable_cache=False)
    def one() -> int:
        return 1

    @pipeline
    def line():
        one()
"""


def test_an_image_that_was_built_once_is_taken_from_the_registry(
    project: Project, command: str, images: Engine, registry: Registry
) -> None:
    registry.start()
    use_registry(command, bare(images), registry)
    project.write("main.py", ONE)
    finished = project.run()
    assert finished.code == 0, finished.err
    (image,) = built(images)
    assert image.startswith(f"{registry.uri}/partita:")
    identity = images.docker("inspect", "--format", "{{.Id}}", image)
    # As on an engine that has never seen it.
    images.docker("rmi", "--force", image)
    (row,) = json.loads(partita(command, "plan", "main.py", "--output", "json"))
    assert row["image"]["verdict"] == "there"
    finished = project.run()
    assert finished.code == 0, finished.err
    assert "building" not in finished.err
    assert images.docker("inspect", "--format", "{{.Id}}", image) == identity


def test_a_password_opens_a_registry_and_is_found_nowhere(
    project: Project, command: str, images: Engine, registry: Registry, tmp_path: Path
) -> None:
    use_password(command, bare(images), registry, PASSWORD)
    registry.start()
    project.write("main.py", ONE)
    finished = project.run(verbose=True)
    assert finished.code == 0, finished.err
    (image,) = built(images)
    saved = tmp_path / "saved.tar"
    images.docker("save", "--output", str(saved), image)
    documents = [path for path in project.home.rglob("*") if path.is_file()]
    for path in (saved, *documents):
        assert PASSWORD.encode() not in path.read_bytes(), path
    assert PASSWORD not in finished.out + finished.err
    assert PASSWORD not in images.docker("history", "--no-trunc", image)


def test_a_password_that_is_written_out_is_refused(command: str, project: Project) -> None:
    words = ("container-registry", "register", "team", "--flavor=default", "--uri=localhost:1/team")
    who = ("--username=robot", f"--password={PASSWORD}")
    done = subprocess.run([command, *words, *who], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done
    for word in ("`partita secret set registry password`", "`--password={{registry.password}}`"):
        assert word in done.stderr
    assert PASSWORD not in done.stderr + done.stdout
    assert json.loads(partita(command, "container-registry", "list", "--output=json")) == []


@pytest.mark.parametrize("password", ["wrong-word-9", None])
def test_a_registry_that_does_not_take_who_asks_ends_the_run_before_it_begins(
    project: Project, command: str, images: Engine, registry: Registry, password: str | None
) -> None:
    if password is None:
        (registry.folder / "users").write_text(USERS)
        use_registry(command, bare(images), registry)
    else:
        use_password(command, bare(images), registry, password)
    registry.start()
    project.write("main.py", ONE)
    finished = project.run()
    message = finished.refusal
    assert f"the container registry at `{registry.uri}` cannot be asked for the image" in message
    advice = "correct `username` and `password`" if password else "say who asks, with `username`"
    assert advice in message, message
    assert "wrong-word-9" not in finished.out + finished.err
    assert (built(images), Client().list_runs()) == ([], [])


def test_an_image_that_a_registry_does_not_take_is_not_taken_for_one_that_it_has(
    project: Project, command: str, images: Engine, registry: Registry
) -> None:
    (registry.folder / "readonly").touch()
    registry.start()
    use_registry(command, bare(images), registry)
    project.write("main.py", ONE)
    message = project.run().refusal
    assert f"the container registry at `{registry.uri}` cannot be given the image" in message
    assert (built(images), Client().list_runs()) == ([], [])
    registry.stop()
    (registry.folder / "readonly").unlink()


def test_a_registry_that_is_away_is_told_of(
    project: Project, command: str, images: Engine, registry: Registry
) -> None:
    use_registry(command, bare(images), registry)
    project.write("main.py", ONE)
    finished = project.run()
    assert finished.code == 3
    message = finished.err
    assert "cannot be asked for the image" in message
    assert "connection refused" in message
    assert built(images) == []
