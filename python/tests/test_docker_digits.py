"""The digits example in containers: cold, again, and after an edit of one line."""

from __future__ import annotations

import sysconfig
from pathlib import Path

from conftest import Project
from docker_engine import Engine
from partita import Client

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/digits"


def test_digits_are_read_in_containers_and_an_edit_builds_nothing(
    project: Project, command: str, engine: Engine
) -> None:
    for file in EXAMPLE.glob("*.py"):
        project.write(file.name, file.read_text())
    # The image has no packages; those of this environment do.
    packages = sysconfig.get_path("purelib")
    engine.use(
        command, volumes=[f"{packages}:/packages:ro"], environment={"PYTHONPATH": "/packages"}
    )
    images = engine.images()
    done = project.run("pipeline.py")
    assert done.code == 0, done
    assert set(project.statuses().values()) == {"completed"}
    run = Client().get_run("latest")
    assert run.steps["evaluate_forest"].outputs["accuracy"].load() > 0.95

    assert project.run("pipeline.py").code == 0
    assert set(project.statuses().values()) == {"cached"}

    pipeline = project.folder / "pipeline.py"
    pipeline.write_text(pipeline.read_text().replace("max_iter=500", "max_iter=499"))
    assert project.run("pipeline.py").code == 0
    statuses = project.statuses()
    assert (statuses["load"], statuses["train_forest"]) == ("cached", "cached")
    assert statuses["train_regression"] == "completed"

    assert engine.containers() == []
    assert engine.images() == images
