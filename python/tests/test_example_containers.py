"""The example that runs steps in containers by itself does, on a real engine, and leaves nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import Project
from docker_engine import Engine
from partita import Client
from played_suites import begin, not_claimed
from process_stack import partita

EXAMPLE = Path(__file__).parents[2] / "examples/custom_orchestrator_containers"
SOURCE = "flavors.boxes.BoxesOrchestratorFlavor"

#: Where steps run, what they are kept to, what they leave, and how they end.
PLAYED = (
    "a-processor-core-is-given",
    "a-secret-reaches-its-step-and-nothing-else",
    "a-timeout-ends-a-step",
    "an-exit-code-is-told",
    "an-exit-with-code-zero-is-no-success",
    "control-c-cancels-the-run-and-its-steps",
    "hooks-are-called-once",
    "steps-know-where-they-are",
    "the-source-root-can-be-imported",
    "twenty-megabytes-pass-between-steps",
    "variables-of-the-environment-arrive",
    "what-a-step-changes-is-not-seen-by-the-next",
)


@pytest.fixture
def example(
    project: Project, command: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> Project:
    """A copy of the example, with its flavor registered and in use."""
    monkeypatch.setenv("DOCKER_BUILDKIT", "0")  # The engine of the tests has no other builder.
    for file in EXAMPLE.rglob("*.py"):
        project.write(str(file.relative_to(EXAMPLE)), file.read_text())
    partita(command, "init")
    partita(command, "orchestrator", "flavor", "register", SOURCE)
    image = f"--parent_image={engine.image}"
    partita(command, "orchestrator", "register", "boxes", "--flavor=boxes", image)
    partita(command, "stack", "register", "boxes", "-o", "boxes", "-a", "default", "--set")
    return project


def test_each_step_runs_in_a_container_and_nothing_is_left(
    example: Project, engine: Engine
) -> None:
    images = engine.images()
    done = example.run("train.py")
    assert done.code == 0, done
    assert "total | adding in /project" in done.err
    assert Client().get_run("latest").steps["report"].output.load() == 2.0
    assert engine.containers() == []
    assert engine.images() == images
    assert example.run("train.py").code == 0
    assert set(example.statuses().values()) == {"cached"}
    # An edit is in the image of the next run.
    train = example.folder / "train.py"
    train.write_text(train.read_text().replace("total / len(values)", "2 * total / len(values)"))
    assert example.run("train.py").code == 0
    assert example.statuses() == {"load": "cached", "total": "cached", "report": "completed"}
    assert Client().get_run("latest").steps["report"].output.load() == 4.0


def test_another_image_is_another_result_and_a_step_may_name_its_own(
    example: Project, engine: Engine, command: str
) -> None:
    assert example.run("train.py").code == 0
    engine.docker("tag", engine.image, "partita-test/other:1")
    compiled = json.loads(partita(command, "compile", "train.py"))
    images = [step["config"]["docker"]["parent_image"] for step in compiled["steps"]]
    assert images == [engine.image] * 3
    example.write(
        "run.yaml",
        "steps: {total: {settings: {docker: {parent_image: 'partita-test/other:1', "
        "skip_build: true}}}}",
    )
    done = example.run("train.py", config=str(example.folder / "run.yaml"))
    engine.docker("image", "rm", "partita-test/other:1")
    assert done.code == 0, done
    assert example.statuses() == {"load": "cached", "total": "completed", "report": "cached"}


def test_a_step_that_fails_is_told_by_its_record_and_resumed(
    example: Project, engine: Engine
) -> None:
    train = example.folder / "train.py"
    good = train.read_text()
    train.write_text(good.replace("return sum(values)", "raise ValueError('no numbers')"))
    done = example.run("train.py")
    assert done.code == 1 and "step `total` failed: ValueError: no numbers" in done.err, done
    assert engine.containers() == []
    train.write_text(good)
    resumed = example.resume("latest", "train.py")
    assert resumed.code == 0, resumed
    assert example.statuses()["total"] == "completed"


def test_it_does_what_every_orchestrator_has_to(
    example: Project, command: str, engine: Engine
) -> None:
    words = [SOURCE, f"--parent_image={engine.image}"]
    words += [word for scenario in PLAYED for word in ("--scenario", scenario)]
    assert not_claimed(begin(command, *words, cwd=example.folder)) == {
        "a-secret-reaches-its-step-and-nothing-else",
        "variables-of-the-environment-arrive",
    }
    assert engine.containers() == []
