"""Orchestrators that were written for the earlier system move by `zenml` becoming `partita`."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest

from conftest import Project
from custom_flavors import told
from docker_engine import Engine
from image_parents import bare
from image_stack import built
from partita import Client
from process_stack import partita

WRITTEN = Path(__file__).parent / "seed_orchestrators"

STEPS = """
    import os
    from partita import DockerSettings, ResourceSettings, StepRetryConfig, pipeline, step

    @step
    def numbers(count: int) -> list[int]:
        return list(range(count))

    @step(settings={"resources": ResourceSettings(cpu_count=1)})
    def doubled(value: int) -> int:
        return 2 * value

    @step(retry=StepRetryConfig(max_retries=1))
    def total(values: list[int]) -> int:
        print("in", os.environ.get("BOX_IMAGE"), "for", os.environ.get("BOX_RUN") is not None)
        return sum(values)
"""

PLAIN = """
    @pipeline
    def summing(count: int = 3):
        total(doubled.map(numbers(count)))
"""

IMAGED = """
    image = DockerSettings(parent_image="python:slim", skip_build=True)

    @pipeline(settings={"docker": image, "orchestrator.box": {"network": "bridge"}})
    def summing(count: int = 3):
        total(doubled.map(numbers(count)))
"""

#: `container pull IMAGE`, and `container run [OPTIONS] IMAGE -- COMMAND…`, where nothing of the
#: environment outside is seen.
CONTAINER = """
    #!{python}
    import os, sys

    verb, *words = sys.argv[1:]
    with open({log!r}, "a") as log:
        print(verb, *[word for word in words if "PARTITA" not in word][:3], file=log)
    if verb == "run":
        at = words.index("--")
        *options, image = words[:at]
        names = [option.removeprefix("--env=") for option in options if option.startswith("--env=")]
        environment = dict(name.split("=", 1) for name in names)
        environment |= {{"PATH": {path!r}, "BOX_IMAGE": image}}
        os.execvpe(words[at + 1], words[at + 1 :], environment)
"""

#: The same on a real engine, with Docker's command.
REAL_CONTAINER = """
    #!{python}
    import os, sys

    verb, *words = sys.argv[1:]
    if verb == "pull":  # No registry has it, and the engine does.
        os.execvp("docker", ["docker", "image", "inspect", "--format={{{{.Id}}}}", *words])
    at = words.index("--")
    store = words[words.index("--artifact_store") + 1].removeprefix("file://")
    given = ["--rm", f"--user={{os.getuid()}}:{{os.getgid()}}", f"--volume={{store}}:{{store}}"]
    os.execvp("docker", ["docker", "run", *given, *words[:at], *words[at + 1 :]])
"""

#: Runs the steps of a workflow file in order, each once those before it have ended well.
RUNNER = """
    #!{python}
    import json, os, subprocess, sys

    lines = open(sys.argv[1]).read().splitlines()[2:]
    done = set()
    output = open({log!r}, "a")
    for name, after, command in zip(lines[::3], lines[1::3], lines[2::3]):
        name, after, command = (json.loads(line.split(": ", 1)[1]) for line in (name, after, command))
        assert done.issuperset(after), (name, after)
        environment = {{**os.environ, "PATH": {path!r}}}
        subprocess.run(command, env=environment, stdout=output, stderr=output, check=True)
        done.add(name)
"""


@pytest.fixture
def seed(project: Project) -> Project:
    """A source root with the orchestrators, moved."""
    project.write(".partita/config.toml", "")
    project.write("flavors/__init__.py", "")
    for written in WRITTEN.glob("*.py"):
        moved = written.read_text().replace("zenml", "partita")
        project.write(f"flavors/{written.name}", moved)
    project.write("main.py", STEPS + PLAIN)
    return project


def script(project: Project, name: str, text: str) -> Path:
    """Writes an executable that knows the Python of this test, and has a log."""
    path = project.folder / name
    bin_folder = Path(sys.executable).parent
    text = textwrap.dedent(text).lstrip()
    log = str(project.folder / f"{name}.log")
    path.write_text(text.format(python=sys.executable, log=log, path=f"{bin_folder}:/usr/bin:/bin"))
    path.chmod(0o755)
    return path


def use(command: str, source: str, name: str, *config: str) -> None:
    """Registers a flavor, configures it, and makes a stack with it the active one."""
    partita(command, "orchestrator", "flavor", "register", f"flavors.{source}")
    partita(command, "orchestrator", "register", name, f"--flavor={name}", *config)
    partita(command, "stack", "register", name, "-o", name, "-a", "default", "--set")


def check_run(project: Project, status: str = "completed") -> None:
    run = Client().get_run("latest")
    assert set(project.statuses().values()) == {status}
    assert run.steps["total"].output.load() == 6


def test_a_direct_one(seed: Project, command: str) -> None:
    use(command, "direct.PatientOrchestratorFlavor", "patient", "--pause=0.01")
    done = seed.run()
    assert done.code == 0, done
    assert "patient | Step doubled asks for resources." in done.err
    assert "patient | Pipeline summing took" in done.err
    run = Client().get_run("latest").id
    kept = seed.store / "runs" / run / "orchestrators/patient.jsonl"
    assert "Pipeline summing took" in kept.read_text()
    check_run(seed)
    assert seed.run().code == 0
    check_run(seed, "cached")


def test_a_containerized_one(seed: Project, command: str) -> None:
    program = script(seed, "container", CONTAINER)
    use(command, "containerized.BoxOrchestratorFlavor", "box", f"--program={program}")
    seed.write("main.py", STEPS + IMAGED)
    done = seed.run()
    assert done.code == 0, done
    check_run(seed)
    assert "total | in python:slim for True" in done.err  # It is known to delegate.
    log = seed.lines("container.log")
    assert log[:3] == ["pull python:slim"] * 3
    assert [line.split()[:2] for line in log[3:]] == [["run", "--network=bridge"]] * 3
    assert set(seed.statuses().values()) == {"completed"}
    seed.write("main.py", STEPS + PLAIN)
    done = seed.run()
    assert done.code == 1 and "step `numbers` asks for no image" in done.err, done


def test_a_containerized_one_on_a_real_engine(seed: Project, command: str, images: Engine) -> None:
    program = script(seed, "container", REAL_CONTAINER)
    use(command, "containerized.BoxOrchestratorFlavor", "box", f"--program={program}")
    partita(command, "stack", "update", "box", "-i", "native")
    imaged = IMAGED.replace("python:slim", bare(images)).replace(", skip_build=True", "")
    seed.write("main.py", STEPS + imaged.replace("bridge", "none"))
    done = seed.run()
    assert done.code == 0, done
    check_run(seed)
    assert "total | in None for True" in done.err  # It has what the orchestrator gave it.
    assert len(built(images)) == 1
    assert images.containers() == []


@pytest.mark.parametrize("synchronous", ["true", "false"])
def test_a_delegated_one(seed: Project, command: str, synchronous: str) -> None:
    runner = script(seed, "runner", RUNNER)
    config = [f"--runner={runner}", f"--synchronous={synchronous}"]
    use(command, "delegated.FlowOrchestratorFlavor", "flow", *config)
    done = seed.run()
    assert done.code == 0, done
    if synchronous == "false":
        assert "is submitted to `flow`" in done.err
        watched = told(command, "runs", "watch", "latest")
        assert watched.code == 0, (watched, seed.lines("runner.log"))
    check_run(seed)
    posted = [f"summing {step} team" for step in ("numbers", "doubled", "total")]
    assert seed.lines("posted.txt") == posted
    run = Client().get_run("latest")
    kept = seed.store / "runs" / run.id / "orchestrators/flow.representation"
    assert kept.read_text() == (seed.folder / "workflow.yaml").read_text()
