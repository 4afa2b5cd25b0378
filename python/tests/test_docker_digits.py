"""The digits example in containers of an image that is built for it: cold, again, and after an edit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import PATIENCE, Finished, Project, finish
from docker_engine import Engine
from image_parents import VERSION, bare
from image_stack import built
from partita import Client
from process_stack import partita

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/digits"


@pytest.fixture
def parent(images: Engine) -> Iterator[str]:
    """The image that steps run in which name none, without a registry to pull it from."""
    name = f"python:{VERSION}-slim"
    images.docker("tag", bare(images), name)
    yield name
    images.docker("rmi", name)


@pytest.mark.usefixtures("parent")
def test_digits_are_read_in_containers_and_an_edit_builds_nothing(
    project: Project, command: str, images: Engine
) -> None:
    for file in [path for path in EXAMPLE.iterdir() if path.suffix != ".md" and path.is_file()]:
        project.write(file.name, file.read_text())
    words = ("-o", "docker", "-a", "default", "-i", "native", "--set")
    partita(command, "stack", "register", "boxed", *words)

    done = run(project)
    assert done.code == 0, done
    assert set(project.statuses().values()) == {"completed"}
    latest = Client().get_run("latest")
    assert latest.steps["evaluate_forest"].outputs["accuracy"].load() > 0.95
    (image,) = built(images)
    assert f"the image `{image}` is built" in done.err
    everything, (code,) = images.images(), archives(project)

    assert run(project).code == 0
    assert set(project.statuses().values()) == {"cached"}

    pipeline = project.folder / "pipeline.py"
    pipeline.write_text(pipeline.read_text().replace("max_iter=500", "max_iter=499"))
    assert run(project).code == 0
    statuses = project.statuses()
    assert (statuses["load"], statuses["train_forest"]) == ("cached", "cached")
    assert statuses["train_regression"] == "completed"

    # The edit is in another archive of the code, and in no image.
    assert len(archives(project) - {code}) == 1
    assert (images.images(), images.containers()) == (everything, [])


def run(project: Project) -> Finished:
    """Runs the example: ten containers, each of which imports scikit-learn and matplotlib."""
    request = {"target": "pipeline.py", "config": "containers.yaml"}
    running = project.begin("-m", "partita", "run", json.dumps(request))
    return finish(running, patience=5 * PATIENCE)


def archives(project: Project) -> set[str]:
    """The archives of the project's code in its artifact store."""
    return {path.name for path in (project.store / "code").iterdir()}
