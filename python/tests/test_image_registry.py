"""Images in a real container registry: given, taken, refused."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Project
from docker_engine import SCRIPTS, Engine
from image_parents import bare
from image_stack import built, use
from partita import Client
from process_stack import partita

PASSWORD = "secret-word-7"

#: Who may ask, as `htpasswd -B` writes it for that password.
USERS = "robot:$2y$05$abcdefghijklmnopqrstuudZie2e50Ytm4dl0IqmRZAurrmQpl2x.\n"

ONE = """
    from partita import pipeline, step

    @step(enable_cache=False)
    def one() -> int:
        return 1

    @pipeline
    def line():
        one()
"""


class Registry:
    """A registry of a test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    @property
    def uri(self) -> str:
        return f"127.0.0.1:{self.port}/team"

    def start(self) -> None:
        words = [SCRIPTS / "registry.sh", "up", self.folder, str(self.port)]
        subprocess.run(words, check=True, capture_output=True)

    def stop(self) -> None:
        subprocess.run([SCRIPTS / "registry.sh", "down", self.folder], check=True)


@pytest.fixture
def registry(tmp_path: Path, images: Engine) -> Iterator[Registry]:
    """A registry that does not run yet."""
    made = Registry(tmp_path / "registry")
    made.folder.mkdir()
    yield made
    made.stop()


def use_registry(command: str, engine: Engine, registry: Registry, *who: str) -> None:
    """Makes a stack active whose images are kept in a registry."""
    words = ("container-registry", "register", "team", f"--uri={registry.uri}", *who)
    partita(command, *words, "--flavor=default" if who else "--flavor=local")
    use(command, "native", bare(engine), "-c", "team")


def use_password(command: str, engine: Engine, registry: Registry, password: str) -> None:
    """As that, with a password, which is kept as a secret."""
    (registry.folder / "users").write_text(USERS)
    subprocess.run(
        [command, "secret", "set", "registry", "password=-"],
        input=password,
        text=True,
        check=True,
        capture_output=True,
    )
    who = ("--username=robot", "--password={{registry.password}}")
    use_registry(command, engine, registry, *who)


def test_an_image_that_was_built_once_is_taken_from_the_registry(
    project: Project, command: str, images: Engine, registry: Registry
) -> None:
    registry.start()
    use_registry(command, images, registry)
    project.write("main.py", ONE)
    finished = project.run()
    assert finished.code == 0, finished.err
    (image,) = built(images)
    assert image.startswith(f"{registry.uri}/partita:")
    identity = images.docker("inspect", "--format", "{{.Id}}", image)
    # As on an engine that has never seen it.
    images.docker("rmi", "--force", image)
    finished = project.run()
    assert finished.code == 0, finished.err
    assert "building" not in finished.err
    assert images.docker("inspect", "--format", "{{.Id}}", image) == identity


def test_a_password_opens_a_registry_and_is_found_nowhere(
    project: Project, command: str, images: Engine, registry: Registry, tmp_path: Path
) -> None:
    use_password(command, images, registry, PASSWORD)
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


@pytest.mark.parametrize("password", ["wrong-word-9", None])
def test_a_registry_that_does_not_take_who_asks_ends_the_run_before_it_begins(
    project: Project, command: str, images: Engine, registry: Registry, password: str | None
) -> None:
    if password is None:
        (registry.folder / "users").write_text(USERS)
        use_registry(command, images, registry)
    else:
        use_password(command, images, registry, password)
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
    use_registry(command, images, registry)
    project.write("main.py", ONE)
    message = project.run().refusal
    assert f"the container registry at `{registry.uri}` cannot be given the image" in message
    assert (built(images), Client().list_runs()) == ([], [])
    registry.stop()
    (registry.folder / "readonly").unlink()


def test_a_registry_that_is_away_is_told_of(
    project: Project, command: str, images: Engine, registry: Registry
) -> None:
    use_registry(command, images, registry)
    project.write("main.py", ONE)
    message = project.run().refusal
    assert "cannot be asked for the image" in message
    assert "connection refused" in message
    assert built(images) == []
