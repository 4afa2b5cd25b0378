"""Commands in containers: what an image has, what the author's code brings, and a program alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conftest import Project
from docker_engine import Engine
from docker_steps import failed
from partita import Client
from process_stack import partita
from rust_programs import ROOT, start

#: A command of the image, one of the author's code, and a script for the image's shell.
COMMANDS = """
    from partita import command_step, input, output, pipeline

    greet = command_step(["greet", output.greeting])
    answer = command_step(["./tools/answer.sh", input.greeting, output.said])
    copy = command_step(f"cat {input.said} > {output.copy}", shell=True, name="copy")

    @pipeline
    def line():
        copy(answer(greet()))
"""

#: Makes a command that writes a text of its own into a file.
GREET = """
    import os
    open("/bin/greet", "w").write("#!/bin/sh\\nprintf TEXT > $1\\n")
    os.chmod("/bin/greet", 0o755)
"""

ANSWER = '#!/bin/sh\n{ cat "$1"; printf " yourself"; } > "$2"\n'

Made = Callable[[str], str]


@pytest.fixture
def greeting(engine: Engine) -> Iterator[Made]:
    """Makes images whose command `greet` says what they are made for."""
    made: list[str] = []

    def make(text: str) -> str:
        tag = f"partita-test/{text}:1"
        code = textwrap.dedent(GREET).replace("TEXT", text)
        image = engine.build(f"RUN {json.dumps(['python', '-c', code])}")
        engine.docker("tag", image, tag)
        made.append(tag)
        return tag

    yield make
    for tag in made:
        engine.docker("image", "rm", tag)


def write(project: Project) -> None:
    project.write("main.py", COMMANDS)
    project.write("tools/answer.sh", ANSWER).chmod(0o755)


def said() -> str:
    path = Client().get_run("latest").steps["copy"].outputs["copy"].load()
    return Path(path).read_text()


def test_a_command_starts_what_its_image_has_and_what_the_code_brings(
    project: Project, command: str, engine: Engine, greeting: Made
) -> None:
    engine.use(command, parent_image=greeting("hello"))
    write(project)
    done = project.run()
    assert done.code == 0, done
    assert said() == "hello yourself"
    assert project.run().code == 0
    assert set(project.statuses().values()) == {"cached"}

    # Of the code that is brought, what is started counts; of the image, the image does.
    project.write("tools/answer.sh", ANSWER.replace("yourself", "there")).chmod(0o755)
    assert project.run().code == 0
    assert said() == "hello there"
    assert project.statuses()["greet"] == "cached"
    other = f"--parent_image={greeting('welcome')}"
    partita(command, "orchestrator", "update", "boxed", other)
    assert project.run().code == 0
    assert said() == "welcome there"


def test_a_command_that_an_image_does_not_have_is_missed_there(
    project: Project, command: str, engine: Engine
) -> None:
    engine.use(command)
    write(project)
    assert project.run().code == 1
    assert "`greet` cannot be started: No such file" in failed("greet")
    assert f"; the image `{engine.image}` has to have it" in failed("greet")


COMPLAINS = """
    from partita import command_step, pipeline

    complain = command_step("echo first >&2; echo last >&2; exit 7", shell=True, name="complain")

    @pipeline
    def complaining():
        complain()
"""


def test_a_command_that_fails_in_a_container_is_told_by_its_last_line(
    project: Project, command: str, engine: Engine
) -> None:
    engine.use(command)
    project.write("main.py", COMPLAINS)
    assert project.run().code == 1
    assert "`sh` ended with exit code 7: last" in failed("complain")
    assert "first\nlast" in Client().get_run("latest").steps["complain"].log


@pytest.fixture(scope="module")
def boxed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program `boxed`, built so that it links nothing; what it is made of is there already."""
    # As `make` builds: with other targets, features differ, and most would be built once more.
    built = ["cargo", "build", "--workspace", "--lib", "--bins", "--examples", "--locked"]
    words = [*built, "--quiet", "--message-format=json"]
    told = subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    made = (json.loads(line) for line in told.splitlines())
    (sdk,) = (
        artifact["filenames"][0]
        for artifact in made
        if artifact.get("target", {}).get("name") == "partita"
        and artifact["target"]["kind"] == ["lib"]
    )
    program = tmp_path_factory.mktemp("static") / "boxed"
    words = ["rustc", "--edition=2024", "-Ctarget-feature=+crt-static", "-Cstrip=symbols"]
    words += [f"-Ldependency={Path(sdk).parent / 'deps'}", f"--extern=partita={sdk}"]
    source = ROOT / "examples/pipelines_rust/src/bin/boxed.rs"
    subprocess.run([*words, source, "-o", program], cwd=ROOT, check=True)
    return program


def test_a_static_program_and_its_command_run_in_an_image_with_nothing_else(
    project: Project, command: str, engine: Engine, boxed: Path
) -> None:
    shutil.copy2(boxed, project.folder / "tally")
    dockerfile = project.folder / "Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY tally /bin/tally\n")
    image = engine.docker("build", "--quiet", "--force-rm", str(project.folder))
    engine.use(command, parent_image=image)
    ran = start(str(boxed), "run")
    engine.docker("image", "rm", image)
    assert ran.returncode == 0, ran
    report = Client().get_run("latest").steps["report"].output.load()
    assert report == '3 words, counted with ["tally"]'


#: A command of an image without anything else, and one that is fed by Python.
TALLY = """
    from partita import DockerSettings, command_step, input, output, pipeline, step

    def told():
        print("it is done")

    empty = {"docker": DockerSettings(parent_image="IMAGE"BUILD)}
    tally = command_step(["tally", input.text, output.count], settings=empty, outputs={"count": int}HOOK)

    @step
    def write() -> str:
        return "a b c"

    @pipeline
    def line():
        tally(text=write())
"""


@pytest.fixture
def tallying(project: Project, engine: Engine, boxed: Path) -> Iterator[Callable[[str, str], None]]:
    """Writes a pipeline of Python whose command runs in an image that has nothing but its executable."""
    shutil.copy2(boxed, project.folder / "tally")
    dockerfile = project.folder / "Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY tally /bin/tally\n")
    image = "partita-test/tally:1"
    engine.docker("build", "--quiet", "--force-rm", "--tag", image, str(project.folder))

    def write(build: str = "", hook: str = "") -> None:
        text = TALLY.replace("IMAGE", image).replace("BUILD", build).replace("HOOK", hook)
        project.write("main.py", text)

    yield write
    engine.docker("image", "rm", image)


def test_a_command_of_a_pipeline_in_python_needs_nothing_of_its_image(
    project: Project, command: str, engine: Engine, tallying: Callable[..., None]
) -> None:
    engine.use(command)
    tallying(build=", skip_build=True")
    done = project.run()
    assert done.code == 0, done
    assert Client().get_run("latest").steps["tally"].output.load() == 3


def test_an_image_for_a_command_alone_is_built_without_python(
    project: Project, command: str, engine: Engine, tallying: Callable[..., None]
) -> None:
    engine.use(command)
    partita(command, "stack", "update", "boxed", "-i", "native")
    tallying(build=', runtime_environment={"LANG": "C.UTF-8"}')
    done = project.run()
    assert done.code == 0, done
    assert Client().get_run("latest").steps["tally"].output.load() == 3
    made = engine.docker("images", "--quiet", "--filter", "label=partita.recipe").split()
    engine.docker("image", "rm", *set(made))


def test_a_command_with_hooks_of_python_is_refused_where_its_image_has_none(
    project: Project, command: str, engine: Engine, tallying: Callable[..., None]
) -> None:
    engine.use(command)
    tallying(build=", skip_build=True", hook=", on_success=told")
    refusal = project.run().refusal
    assert "step `tally` runs in the image `partita-test/tally:1`, which has no `python`" in refusal
    assert "its hooks are in Python" in refusal


def test_a_command_is_refused_before_the_run_where_nothing_could_start_it(
    project: Project,
    command: str,
    engine: Engine,
    tallying: Callable[..., None],
    tmp_path: Path,
) -> None:
    engine.use(command)
    tallying(build=", skip_build=True")
    lonely = tmp_path / "bin" / "python"
    lonely.parent.mkdir()
    lonely.symlink_to(sys.executable)
    words = [str(lonely), "-m", "partita", "run", json.dumps({"target": "main.py"})]
    folders = sysconfig.get_paths()["purelib"]
    environment = project.environment(PATH=str(lonely.parent))
    environment["PYTHONPATH"] += os.pathsep + folders
    done = subprocess.run(
        words, cwd=project.folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done
    assert (
        "step `tally` is a command, which the program `partita` starts in its container"
        in done.stderr
    )
    assert "neither beside" in done.stderr
