"""Stacks whose steps run in images that are built for them, and an engine without such images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from docker_engine import Engine
from image_parents import write_wheel
from process_stack import partita

#: Nothing but what is in the wheels' folder of a test is found by `pip` here.
NO_INDEX = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null"}


def use(command: str, builder: str, parent: str | None = None, *more: str) -> None:
    """Makes a stack active whose steps run in images that this builder makes."""
    image = [f"--parent_image={parent}"] if parent else []
    words = ("--flavor=docker", "--network=none", "--grace=5s", *image)
    partita(command, "orchestrator", "register", "boxed", *words)
    network = ["--network=none"] if builder == "docker" else []
    partita(command, "image-builder", "register", "made", f"--flavor={builder}", *network)
    names = ("-o", "boxed", "-a", "default", "-i", "made", *more)
    partita(command, "stack", "register", "boxed", *names, "--set")


@pytest.fixture
def images(engine: Engine) -> Iterator[Engine]:
    """The engine, without images that were built for steps and what builds share, before a test and after it."""

    def forget() -> None:
        made = ("--filter", "label=partita.recipe")
        engine.docker("image", "prune", "--all", "--force", *made)
        kept = cache_mounts(engine)
        if kept:
            engine.docker("volume", "rm", *kept)

    forget()
    yield engine
    forget()


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels, where alone the installers of this machine look."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for version in ("1.0", "2.0"):
        write_wheel(folder, "greeting", version)
    found = {
        "PIP_FIND_LINKS": str(folder),
        "UV_FIND_LINKS": str(folder),
        "UV_OFFLINE": "1",
        "UV_CACHE_DIR": str(tmp_path / "uv"),
    }
    for name, value in {**NO_INDEX, **found}.items():
        monkeypatch.setenv(name, value)
    return folder


def cache_mounts(engine: Engine) -> list[str]:
    """The volumes that builds share."""
    return engine.docker("volume", "ls", "--quiet", "--filter", "label=partita.cache").split()


def built(engine: Engine) -> list[str]:
    """The names of the images that were built for steps."""
    form = "{{.Repository}}:{{.Tag}}"
    words = ("images", "--filter", "label=partita.recipe", "--format", form)
    return [
        name
        for name in engine.docker(*words).split()
        if not name.startswith(("<none>", "partita-dockerfile:"))
    ]
