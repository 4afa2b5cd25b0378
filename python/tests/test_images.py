"""Images that are built for steps, on a real engine: by the engine, and layer by layer here."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from conftest import Project
from docker_engine import Engine
from image_debian import with_apt
from image_parents import bare
from image_stack import built, use
from image_steps import parent_for, seen, write
from partita import Client
from process_stack import partita


@pytest.mark.parametrize(
    ("builder", "installer", "listed"),
    [
        ("docker", "pip", "requirements"),
        ("docker", "uv", "requirements"),
        ("native", "pip", "requirements"),
        ("native", "uv", "pyproject"),
    ],
)
def test_an_image_has_what_its_steps_ask_for(
    project: Project,
    command: str,
    images: Engine,
    wheels: Path,
    builder: str,
    installer: str,
    listed: str,
) -> None:
    use(command, builder, parent_for(builder, images, installer))
    project.write("requirements.txt", "# says hello\ngreeting<2\n")
    project.write("pyproject.toml", '[project]\ndependencies = ["greeting<2"]\n')
    file = "requirements.txt" if listed == "requirements" else "pyproject.toml"
    hostile = 'a "b" $HOME \\\\ `c` #'
    write(
        project,
        f"""{listed}={file!r}, python_package_installer={installer!r}, environment={{"Mixed_Case": {hostile!r}}},
        runtime_environment={{"LATE_mixed": "two\\nlines"}}, user="0", target_repository="team/sees\"""",
    )
    finished = project.run()
    assert finished.code == 0, finished.err
    found = seen()
    assert (found["greeting"], found["says"]) == ("1.0", "greeting says 1.0")
    assert found["variables"] == {"Mixed_Case": hostile, "LATE_mixed": "two\nlines"}
    (image,) = built(images)
    assert image.startswith("team/sees:")
    assert f"building the image `{image}` of step `sees`: none was built before" in finished.err

    # Nothing has changed: there is nothing to build.
    again = project.run()
    assert again.code == 0, again
    assert "building" not in again.err
    assert built(images) == [image]


def test_an_image_has_the_packages_of_debian_that_its_steps_ask_for(
    project: Project, command: str, images: Engine
) -> None:
    use(command, "docker", with_apt(images))
    write(project, 'apt_packages=["says-hello"]')
    finished = project.run()
    assert finished.code == 0, finished.err
    assert seen()["hello"] == "hello from Debian"
    write(project, 'apt_packages=["says-hello", "says-nothing"]')
    assert "E: Unable to locate package says-nothing" in project.run().refusal


#: Two steps that share an image, and one that has another.
THREE = """
    from partita import DockerSettings, pipeline, step

    @step(enable_cache=False)
    def first() -> int:
        return 1

    @step(enable_cache=False)
    def second(number: int) -> int:
        return number + 1

    @step(settings={{"docker": DockerSettings({settings})}}, enable_cache=False)
    def third(number: int) -> str:
        import greeting
        return greeting.VERSION

    @pipeline
    def line():
        third(second(first()))
"""


def test_steps_that_ask_for_the_same_share_an_image_and_only_what_changed_is_built(
    project: Project, command: str, images: Engine, wheels: Path
) -> None:
    use(command, "native", bare(images))
    project.write("main.py", THREE.format(settings='requirements=["greeting==1.0"]'))

    def plan() -> dict[str, Any]:
        words = ("plan", "main.py", "--output", "json")
        return {row["step"]: row["image"] for row in json.loads(partita(command, *words))}

    planned = plan()
    assert {image["verdict"] for image in planned.values()} == {"build"}
    assert planned["first"] == planned["second"] != planned["third"]
    told = partita(command, "plan", "main.py")
    name = planned["first"]["image"]
    assert f"the image `{name}` would be built for `first`, `second`: none was built" in told
    assert built(images) == []

    rows = json.loads(partita(command, "build", "main.py", "--output", "json"))
    assert [(row["steps"], row["verdict"]) for row in rows] == [
        (["first", "second"], "built"),
        (["third"], "built"),
    ]
    assert sorted(built(images)) == sorted(row["image"] for row in rows)
    assert {image["verdict"] for image in plan().values()} == {"there"}
    rows = json.loads(partita(command, "build", "main.py", "--output", "json"))
    assert {row["verdict"] for row in rows} == {"there"}

    # Code is no part of an image.
    changed = THREE.replace("number + 1", "number + 2")
    project.write("main.py", changed.format(settings='requirements=["greeting==1.0"]'))
    finished = project.run()
    assert finished.code == 0, finished.err
    assert "building" not in finished.err

    project.write("main.py", changed.format(settings='requirements=["greeting==2.0"]'))
    planned = plan()
    assert planned["first"]["verdict"] == "there"
    assert planned["third"]["reason"] == "`requirements` changed"
    assert project.run().code == 0
    assert Client().get_run("latest").steps["third"].outputs["output"].load() == "2.0"
    images.docker("rmi", "--force", planned["third"]["image"])
    assert plan()["third"]["reason"] == "the engine does not have it any more"


def test_layers_that_are_written_here_are_the_same_bytes_on_every_machine(
    project: Project, command: str, images: Engine, wheels: Path
) -> None:
    use(command, "native", bare(images))
    write(project, 'requirements=["greeting==1.0"], environment={"Mixed": "1"}')
    identities: list[str] = []
    for _ in range(2):
        (row,) = json.loads(partita(command, "build", "main.py", "--output", "json"))
        identities.append(images.docker("inspect", "--format", "{{.Id}}", row["image"]))
        images.docker("rmi", "--force", row["image"])
        # As on a machine that has never built it.
        shutil.rmtree(project.home / "images")
        for wheel in wheels.iterdir():
            os.utime(wheel)
    assert identities[0] == identities[1]


def test_a_dockerfile_makes_what_an_image_is_built_on(
    project: Project, command: str, images: Engine
) -> None:
    use(command, "docker")
    base = bare(images)
    project.write(
        "image/Dockerfile", f'FROM {base}\nCOPY ["größe ✓", "/from-dockerfile"]\nCOPY . /all\n'
    )
    project.write("image/größe ✓", "copied")
    project.write("image/.dockerignore", "data\n!data/kept\n")
    (project.folder / "image/nothing/yet").mkdir(parents=True)
    project.write("image/data/noise", "1")
    project.write("image/data/kept", "2")
    write(project, 'dockerfile="image/Dockerfile"')
    finished = project.run()
    assert finished.code == 0, finished.err
    assert seen()["file"] == "copied"
    (image,) = built(images)
    listed = images.docker(
        "run",
        "--rm",
        "--network=none",
        image,
        "python",
        "-c",
        "import os; print(os.listdir('/all/data'), sorted(os.listdir('/all')), os.listdir('/all/nothing'))",
    )
    assert listed == "['kept'] ['Dockerfile', 'data', 'größe ✓', 'nothing'] ['yet']"
    labelled = ("images", "--quiet", "--filter", "label=partita.recipe", "partita-dockerfile")
    assert images.docker(*labelled)
    project.write("image/data/noise", "3")
    assert "building" not in project.run().err
    project.write("image/größe ✓", "copied anew")
    finished = project.run()
    assert "`dockerfile` changed" in finished.err, finished
    assert seen()["file"] == "copied anew"


def test_a_dockerfile_copies_from_the_folder_that_settings_name_but_for_what_is_listed(
    project: Project, command: str, images: Engine
) -> None:
    use(command, "docker")
    copied = "COPY shared /from-dockerfile\nCOPY . /all\n"
    project.write("image/Dockerfile", f"FROM {bare(images)}\n{copied}")
    project.write("image/listed", "main.py\nimage\nsecret*\n")
    project.write("shared", "of the top")
    project.write("secret.txt", "hidden")
    write(
        project,
        'dockerfile="image/Dockerfile", build_context_root=".", dockerignore="image/listed"',
    )
    finished = project.run()
    assert finished.code == 0, finished.err
    assert seen()["file"] == "of the top"
    (image,) = built(images)
    program = "import os; print(sorted(os.listdir('/all')))"
    words = ("run", "--rm", "--network=none", image, "python", "-c", program)
    assert images.docker(*words) == "['shared']"


def test_where_a_stack_names_no_image_builder_the_engine_builds(
    project: Project, command: str, images: Engine
) -> None:
    images.use(command, parent_image=bare(images))
    write(project, 'environment={"Mixed_Case": "1"}')
    finished = project.run()
    assert finished.code == 0, finished.err
    assert seen()["variables"]["Mixed_Case"] == "1"
    assert len(built(images)) == 1


#: Says which Partita is installed, and where modules are looked for.
INSTALLED = """
    import importlib.metadata, sys
    from partita import pipeline, step

    @step(enable_cache=False)
    def sees() -> tuple[str, list[str]]:
        return importlib.metadata.version("partita"), sys.path

    @pipeline
    def line():
        sees()
"""


def test_partita_is_installed_in_an_image_and_the_top_of_that_is_no_folder_of_modules(
    project: Project, command: str, images: Engine
) -> None:
    use(command, "native", bare(images))
    project.write("main.py", INSTALLED)
    finished = project.run()
    assert finished.code == 0, finished.err
    run = Client().get_run("latest")
    outputs = [output.load() for output in run.steps["sees"].outputs.values()]
    version, path = outputs
    assert version == importlib.metadata.version("partita")
    assert "/" not in path and path[0].startswith("/tmp/partita-code-")


def test_what_a_parent_has_its_children_do_is_done_or_refused(
    project: Project, command: str, images: Engine
) -> None:
    triggered = images.build('ONBUILD ENV TRIGGERED="yes"')
    images.docker("tag", triggered, "partita-test/triggered:1")
    use(command, "native")
    write(project, 'parent_image="partita-test/triggered:1"')
    refused = project.run().refusal
    assert "the image `partita-test/triggered:1` has commands of a Dockerfile" in refused
    assert "`partita stack update STACK -i docker`" in refused
    assert "(`ONBUILD`)" in project.verb("plan", target="main.py").refusal
    images.docker("image", "rm", "partita-test/triggered:1")
    assert (built(images), images.containers()) == ([], [])


def test_an_image_that_is_to_be_built_anew_is(
    project: Project, command: str, images: Engine
) -> None:
    use(command, "native", bare(images))
    write(project, "prevent_build_reuse=True")
    for _ in range(2):
        finished = project.run()
        assert "`prevent_build_reuse` says so" in finished.err, finished


def test_what_no_step_could_run_in_is_refused_before_anything_is_built(
    project: Project, command: str, images: Engine, tmp_path: Path
) -> None:
    use(command, "native", bare(images))
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    images.docker("build", "--force-rm", "--quiet", "--tag", "partita-test/empty:1", str(empty))
    write(project, 'parent_image="partita-test/empty:1"')
    assert "`partita-test/empty:1` has no `python` on its path" in project.run().refusal
    write(project, 'parent_image="partita-test/nowhere:1"')
    message = project.run().refusal
    assert "does not have the image `partita-test/nowhere:1`, and cannot pull it" in message
    other = (
        "FROM "
        + bare(images)
        + '\nRUN ["python", "-c", "import os; os.remove(\'/usr/bin/python\')"]\n'
    )
    (empty / "python").write_text(
        "#!/bin/sh\nexec /usr/bin/python3 -c 'import sys; sys.version_info = (3, 1); exec(sys.argv[1])' \"$2\"\n"
    )
    (empty / "python").chmod(0o755)
    (empty / "Dockerfile").write_text(
        other + "COPY python /usr/bin/python\nENV PATH=/usr/bin:/bin\n"
    )
    images.docker(
        "build",
        "--force-rm",
        "--quiet",
        "--network=none",
        "--tag",
        "partita-test/old:1",
        str(empty),
    )
    for verb in ("kill -9 $$", "echo nothing"):
        (empty / "python").write_text(f"#!/bin/sh\n{verb}\n")
        tag = ("--tag", "partita-test/silent:1", str(empty))
        images.docker("build", "--force-rm", "--quiet", "--network=none", *tag)
        write(project, 'parent_image="partita-test/silent:1"')
        message = project.run().refusal
        assert (
            "the `python` of the image `partita-test/silent:1` does not say what it is" in message
        )
    write(project, 'parent_image="partita-test/old:1"')
    assert "has Python 3.1, and this pipeline is run with Python 3." in project.run().refusal
    assert (built(images), images.containers()) == ([], [])


def test_what_a_builder_cannot_honour_is_refused_without_an_engine(
    project: Project, command: str
) -> None:
    use(command, "native", "python")
    write(project, 'apt_packages=["git"]')
    refusal = project.verb("compile", target="main.py").refusal
    assert "asks for `apt_packages` of an image, which the image builder `made` cannot" in refusal


def test_a_plan_says_what_it_cannot_know_without_an_engine(
    project: Project, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    use(command, "native", "python")
    write(project, "")
    told = partita(command, "plan", "main.py")
    assert "Whether an image would be built for `sees` is not known: the Docker engine" in told
    assert project.verb("build", target="main.py").code == 3


def test_what_is_installed_here_is_installed_there(
    project: Project, command: str, images: Engine, wheels: Path, tmp_path: Path
) -> None:
    use(command, "native", bare(images))
    write(project, "replicate_local_python_environment=True")
    # A Python that has `greeting`, and the installer of this one.
    here = tmp_path / "here"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", here], check=True)
    (packages,) = here.glob("lib/python*/site-packages")
    with zipfile.ZipFile(wheels / "greeting-1.0-py3-none-any.whl") as wheel:
        wheel.extractall(packages)
    pip = importlib.util.find_spec("pip")
    assert pip is not None and pip.origin is not None
    (packages / "pip").symlink_to(Path(pip.origin).parent)
    done = subprocess.run(
        [here / "bin/python", "-m", "partita", "run", '{"target": "main.py"}'],
        cwd=project.folder,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done
    assert seen()["greeting"] == "1.0"
    # The newer one that the folder of wheels has is not taken.
    (document,) = (project.store / "deployments").glob("*.json")
    assert '"greeting==1.0"' in document.read_text().replace(" ", "")
