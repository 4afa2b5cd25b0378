"""Images that are built for steps of orchestrators of one's own, with the whole project in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conftest import Project
from docker_engine import Engine
from image_parents import bare, with_pip
from image_registry import Registry
from image_stack import built
from partita import Client
from process_stack import partita

#: What both orchestrators have in common: they start a command in a container of an image.
COMMON = """
    import os, subprocess
    from partita.enums import JobStatus
    from partita.orchestrators import (
        BaseOrchestrator, BaseOrchestratorConfig, BaseOrchestratorFlavor, Supply
    )

    def docker_run(name, store, image, command, environment):
        variables = [f"--env={key}={value}" for key, value in environment.items()]
        # It has an engine of its own, as a cluster elsewhere has.
        engine = os.environ.get("ENGINE_OF_OWN", os.environ["DOCKER_HOST"])
        words = ["docker", f"--host={engine}", "run", f"--name={name}", "--rm", "--network=none", f"--volume={store}:{store}"]
        return subprocess.Popen([*words, f"--user={os.getuid()}:{os.getgid()}", *variables, image, *command])

    class OwnConfig(BaseOrchestratorConfig):
        parent_image: str | None = None

    class OwnFlavor(BaseOrchestratorFlavor):
        name = "own"
        config_class = OwnConfig
        supply = Supply(images=True)

        @property
        def implementation_class(self):
            return Own
"""

#: Goes through the steps by itself, and asks for the image of each.
DIRECT = """
    from partita.entrypoints import StepEntrypointConfiguration

    class Own(BaseOrchestrator):
        def prepare_or_run_pipeline(self, deployment, stack, environment):
            store = stack.artifact_store_uri.removeprefix("file://")
            for number, step in enumerate(deployment.steps.values()):
                image = self.get_image(deployment, step.name)
                arguments = StepEntrypointConfiguration.get_entrypoint_arguments(
                    step_name=step.name, deployment_id=deployment.id
                )
                command = [*StepEntrypointConfiguration.get_entrypoint_command(), *arguments]
                name = f"{self.get_orchestrator_run_id()}-{number}"
                docker_run(name, store, image, command, environment).wait()
"""

#: Has the engine drive, and is told of the image of each attempt.
LAUNCHER = """
    class Own(BaseOrchestrator):
        jobs = {}

        def launch(self, attempt, command, environment, resources):
            store = next(word for word in command if word.startswith("--artifact_store="))
            store = store.partition("=")[2].removeprefix("file://")
            name = attempt.id.replace("/", "-")
            self.jobs[name] = docker_run(name, store, attempt.image, command, environment)
            return name

        def poll(self, job_id):
            code = self.jobs[job_id].poll()
            return JobStatus.ACTIVE if code is None else JobStatus.FAILED if code else JobStatus.COMPLETED

        def cancel(self, job_id):
            self.jobs[job_id].terminate()
"""

#: A step that needs a module, a file and a program of its project, and a distribution.
NEEDS = """
    import os, subprocess
    from pathlib import Path
    from partita import DockerSettings, pipeline, step
    from deep.words import WORD

    @step(settings={"docker": DockerSettings(requirements=["greeting==1.0"])})
    def needs() -> list[str]:
        import greeting
        said = subprocess.run(["./says me.sh"], capture_output=True, text=True, check=True).stdout
        file = Path("größe ✓.txt")
        mode = oct(file.stat().st_mode & 0o777)
        return [WORD, file.read_text(), mode, said.strip(), greeting.VERSION, os.getcwd()]

    @step
    def follows(found: list[str]) -> int:
        return len(found)

    @pipeline
    def line():
        follows(needs())
"""


def write(project: Project, word: str) -> None:
    project.write("main.py", NEEDS)
    project.write("deep/words.py", f"WORD = {word!r}\n")
    project.write("deep/__init__.py", "")
    project.write("größe ✓.txt", "data")
    project.write("says me.sh", "#!/bin/sh\necho said\n")
    (project.folder / "says me.sh").chmod(0o755)
    project.write(".gitignore", "secret.txt\n")
    project.write("secret.txt", "not for others")
    project.write(".dockerignore", "*.md\n")
    project.write("notes.md", "not for images")
    (project.folder / "größe ✓.txt").chmod(0o640)


def register(project: Project, command: str, kind: str) -> None:
    project.write("flavors/__init__.py", "")
    project.write("flavors/own.py", COMMON + kind)
    partita(command, "init")
    partita(command, "orchestrator", "flavor", "register", "flavors.own.OwnFlavor")


def use(command: str, builder: str, parent: str, *more: str) -> None:
    partita(command, "orchestrator", "register", "own", "--flavor=own", f"--parent_image={parent}")
    network = ["--network=none"] if builder == "docker" else []
    partita(command, "image-builder", "register", "made", f"--flavor={builder}", *network)
    names = ("-o", "own", "-a", "default", "-i", "made", *more)
    partita(command, "stack", "register", "own", *names, "--set")


def found() -> Any:
    return Client().get_run("latest").steps["needs"].outputs["output"].load()


def layers(engine: Engine, image: str) -> list[str]:
    return json.loads(engine.docker("inspect", "--format", "{{json .RootFS.Layers}}", image))


@pytest.mark.parametrize(("builder", "kind"), [("native", DIRECT), ("docker", LAUNCHER)])
def test_an_image_has_the_whole_project_and_an_edit_is_another_last_layer(
    project: Project, command: str, images: Engine, wheels: Path, builder: str, kind: str
) -> None:
    register(project, command, kind)
    parent = bare(images) if builder == "native" else with_pip(images)
    # What its containers begin with by themselves is none of an orchestrator's business.
    text = f'FROM {parent}\nENTRYPOINT ["/nowhere"]\n'
    images.docker("build", "--quiet", "--tag", "partita-test/begun:1", "-", text=text)
    use(command, builder, "partita-test/begun:1")
    write(project, "first")
    finished = project.run()
    assert finished.code == 0, finished
    assert found() == ["first", "data", "0o644", "said", "1.0", "/opt/partita/code"]
    first = set(built(images))
    assert len(first) == 2
    for image in first:
        command_line = ("python", "-c", "import os; print(os.listdir())")
        listed = images.docker("run", "--rm", "--network=none", image, *command_line)
        assert "says me.sh" in listed, listed
        assert "secret.txt" not in listed and "notes.md" not in listed, listed
    again = project.run()
    assert again.code == 0 and "building" not in again.err, again

    write(project, "second")
    finished = project.run()
    assert finished.code == 0, finished
    assert "the code changed" in finished.err
    assert found()[0] == "second"
    assert images.containers() == []
    rows = json.loads(partita(command, "build", "main.py", "--output", "json"))
    assert {row["verdict"] for row in rows} == {"there"}
    second = {row["image"] for row in rows}
    below = [{tuple(layers(images, image)[:-1]) for image in of} for of in (first, second)]
    assert below[0] == below[1] and len(below[0]) == 2
    assert not first & second


def test_a_run_of_an_orchestrator_that_has_its_own_engine_needs_none_here(
    project: Project,
    command: str,
    images: Engine,
    registry: Registry,
    wheels: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry.start()
    parent = registry.keep(images, bare(images), "base/python:1")
    monkeypatch.setenv("ENGINE_OF_OWN", images.host)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    register(project, command, LAUNCHER)
    words = ("container-registry", "register", "team", f"--uri={registry.uri}", "--flavor=local")
    partita(command, *words)
    use(command, "native", parent, "-c", "team")
    write(project, "first")
    finished = project.run()
    assert finished.code == 0, finished
    assert found() == ["first", "data", "0o644", "said", "1.0", "/opt/partita/code"]
    assert all(image.startswith(registry.uri) for image in built(images))
    again = project.run()
    assert again.code == 0 and "building" not in again.err, again
    write(project, "second")
    finished = project.run()
    assert finished.code == 0 and "the code changed" in finished.err, finished
    assert found()[0] == "second"


def test_images_are_built_for_an_orchestrator_of_ones_own_if_the_stack_names_a_builder(
    project: Project, command: str, images: Engine, wheels: Path
) -> None:
    register(project, command, DIRECT)
    use(command, "native", bare(images))
    partita(command, "stack", "register", "plain", "-o", "own", "-a", "default")
    write(project, "first")
    refused = project.run(stack="plain").refusal
    assert "if the stack names an image builder, which it does not" in refused
    assert "partita stack update STACK -i NAME" in refused
    rows = json.loads(partita(command, "build", "main.py", "--output", "json"))
    assert [(row["steps"], row["verdict"]) for row in rows] == [
        (["needs"], "built"),
        (["follows"], "built"),
    ]
