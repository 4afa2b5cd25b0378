"""A Docker engine of the tests' own, and a stack whose steps run on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from process_stack import partita

#: Tests that run beside each other have an engine each.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")

SCRIPTS = Path(__file__).resolve().parents[2] / "tests" / "docker"


class Engine:
    """The engine, and what its own command says of it."""

    def __init__(self, host: str, image: str) -> None:
        self.host = host
        self.image = image

    def docker(self, *words: str, check: bool = True, text: str = "") -> str:
        """Returns what Docker's command prints, which reads `text`."""
        environment = {**os.environ, "DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "0"}
        done = subprocess.run(
            ["docker", *words],
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or not check, done
        return done.stdout.strip()

    def containers(self) -> list[str]:
        """The names of all containers, whether they run or not."""
        return self.docker("ps", "--all", "--format", "{{.Names}}").split()

    def images(self) -> set[str]:
        """The ids of all images, also of those that only others are made of."""
        return set(self.docker("images", "--all", "--quiet", "--no-trunc").split())

    def inspected(self, container: str) -> dict[str, Any]:
        """What the engine knows of a container."""
        return json.loads(self.docker("inspect", container))[0]

    def stop(self) -> None:
        """Stops the engine, and so all containers."""
        _script("down")

    def crash(self) -> None:
        """Kills the engine; its containers run on."""
        _script("kill")

    def start(self, *, gpus: bool = False) -> None:
        """Starts the engine again; with `gpus` it has some that are none."""
        _script("up", gpus=gpus)

    def build(self, *lines: str) -> str:
        """Makes an image of that of the tests, with these lines of a Dockerfile; returns its id."""
        dockerfile = "\n".join([f"FROM {self.image}", *lines])
        words = ("build", "--quiet", "--force-rm", "--network=none", "-")
        return self.docker(*words, text=dockerfile)

    def use(self, command: str, **config: object) -> None:
        """Makes a stack active whose steps run in containers, and one that is not among its own."""
        config = {"parent_image": self.image, "network": "none", "grace": "10s", **config}
        keys = [
            f"--{key}={value if isinstance(value, str) else json.dumps(value)}"
            for key, value in config.items()
        ]
        partita(command, "orchestrator", "register", "boxed", "--flavor=docker", *keys)
        partita(command, "orchestrator", "register", "here", "--flavor=local")
        words = ("-o", "boxed", "-o", "here", "-a", "default", "--set")
        partita(command, "stack", "register", "boxed", *words)


def run_script(
    name: str, verb: str, variables: dict[str, str], *, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Runs a script that starts and stops an engine of this worker's own."""
    done = subprocess.run(
        [SCRIPTS / name, verb],
        env={**os.environ, "PARTITA_ENGINE": WORKER, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 or not check, done
    return done


def _script(
    verb: str, *, check: bool = True, gpus: bool = False
) -> subprocess.CompletedProcess[str]:
    variables = {"PARTITA_ENGINE_GPUS": "1"} if gpus else {}
    return run_script("engine.sh", verb, variables, check=check)


def _address(what: str, up: subprocess.CompletedProcess[str]) -> str:
    """Where an engine is that was started; where it was not, its tests are left out."""
    if up.returncode != 0:
        why = f"no {what} can be started here: {up.stderr.strip()}"
        if os.environ.get("PARTITA_REQUIRE_DOCKER"):
            pytest.fail(why)
        pytest.skip(why)
    return up.stdout.strip()


def serve(name: str, session_engine: Engine, user: int = 0) -> Iterator[Engine]:
    """Starts another engine by its script, with the image that the usual one has; `user` runs it."""
    of_user = {"PARTITA_ENGINE": f"{WORKER}-{user}", "PARTITA_ENGINE_USER": str(user)}
    variables = of_user if user else {}
    was_up = run_script(name, "check", variables, check=False).returncode == 0
    up = run_script(name, "up", variables, check=False)
    made = Engine(_address(f"engine of `{name}`", up), session_engine.image)
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
        run_script(name, "down", variables)


@pytest.fixture(scope="session")
def session_engine() -> Iterator[Engine]:
    """The engine of all tests; it is stopped after them, unless it ran before."""
    was_up = _script("check", check=False).returncode == 0
    up = _script("up", check=False)
    host = _address("Docker engine", up)
    made = subprocess.run(
        [sys.executable, SCRIPTS / "image.py"],
        env={**os.environ, "DOCKER_HOST": host},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made
    yield Engine(host, made.stdout.strip())
    if not was_up:
        _script("down")


@pytest.fixture
def engine(session_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """The engine, which runs and has no containers before a test and after it."""
    monkeypatch.setenv("DOCKER_HOST", session_engine.host)
    session_engine.start()
    assert session_engine.containers() == []
    yield session_engine
    session_engine.start()
    left = session_engine.containers()
    if left:
        session_engine.docker("rm", "--force", *left)
    assert left == []


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder that containers see as `/shared`."""
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder
