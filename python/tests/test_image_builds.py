"""Builds that go wrong, are cancelled, or run beside one another, on a real engine."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import PATIENCE, Project, finish, interrupt
from docker_engine import SCRIPTS, WORKER, Engine
from image_parents import PACKAGES, bare, with_pip, with_sources
from image_stack import built, cache_mounts, use
from image_steps import parent_for, write
from partita import Client
from process_stack import partita


@pytest.mark.parametrize(
    ("builder", "installer", "words"),
    [
        ("docker", "pip", "No matching distribution found for greeting==3.0"),
        ("native", "pip", "No matching distribution found for greeting==3.0"),
        ("native", "uv", "there is no version of greeting==3.0"),
    ],
)
def test_the_resolvers_own_words_are_shown(
    project: Project,
    command: str,
    images: Engine,
    wheels: Path,
    builder: str,
    installer: str,
    words: str,
) -> None:
    use(command, builder, parent_for(builder, images))
    asked = f'python_package_installer="{installer}", requirements=["greeting==3.0", "nowhere"]'
    write(project, asked)
    finished = project.run()
    message = finished.refusal
    assert "the image of step `sees` cannot be built: " in message
    assert words in message
    log = Path(message.rpartition("all that was said is in `")[2].split("`")[0])
    assert "greeting==3.0" in log.read_text()
    assert (built(images), images.containers()) == ([], [])
    assert Client().list_runs() == []
    # What the engine had made so far is found by its label.
    left = ("images", "--quiet", "--filter", "dangling=true", "--filter", "label=partita.recipe")
    assert bool(images.docker(*left)) == (builder == "docker")
    images.docker("image", "prune", "--all", "--force", "--filter", "label=partita.recipe")
    assert images.docker(*left) == ""


#: An installer that says that it is there, installs nothing, and ends when it is told to.
WAITS = """
    import os, sys
    folder = os.environ["INSTALLERS"]
    with open(folder + "/ready", "w") as told:
        told.write(str(os.getpid()))
    with open(folder + "/go") as go:
        go.read()
    os.makedirs(sys.argv[sys.argv.index("--target") + 1])
"""


@pytest.fixture
def waits(project: Project, command: str, images: Engine, tmp_path: Path) -> dict[str, str]:
    """The environment of a build whose installer waits; a step that needs it, and its stack."""
    use(command, "native", bare(images))
    write(project, 'requirements=["greeting==1.0"]')
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip/__init__.py").touch()
    (tmp_path / "pip/__main__.py").write_text(textwrap.dedent(WAITS))
    os.mkfifo(tmp_path / "ready")
    os.mkfifo(tmp_path / "go")
    path = f"{tmp_path}:{project.environment()['PYTHONPATH']}"
    return {"INSTALLERS": str(tmp_path), "PYTHONPATH": path}


def begin(project: Project, waits: dict[str, str]) -> subprocess.Popen[str]:
    return project.begin("-m", "partita", "build", '{"target": "main.py"}', env=waits)


def installer_of(tmp_path: Path) -> int:
    """The process of an installer, once it is there."""
    told = os.open(tmp_path / "ready", os.O_RDONLY | os.O_NONBLOCK)
    assert select.select([told], [], [], PATIENCE)[0], "the installer was not begun"
    installer = int(os.read(told, 20))
    os.close(told)
    return installer


def test_a_cancelled_build_ends_what_it_began(
    project: Project, images: Engine, waits: dict[str, str], tmp_path: Path
) -> None:
    build = begin(project, waits)
    installer = installer_of(tmp_path)
    finished = interrupt(build)
    assert finished.code == 130, finished
    assert "the images are not built, since that was cancelled" in finished.err
    assert (
        not Path(f"/proc/{installer}").exists()
        or "Z" in Path(f"/proc/{installer}/stat").read_text().split()
    )
    assert built(images) == []
    assert not list((project.home / "images").glob("work-*"))


def test_what_a_killed_build_has_left_goes_with_the_next_one(
    project: Project, images: Engine, waits: dict[str, str], wheels: Path, tmp_path: Path
) -> None:
    build = begin(project, waits)
    installer = installer_of(tmp_path)
    build.kill()
    finish(build)
    os.kill(installer, signal.SIGKILL)
    assert list((project.home / "images").glob("work-*"))
    assert project.run().code == 0
    assert not list((project.home / "images").glob("work-*"))


def test_of_two_builds_of_one_image_the_second_waits_and_finds_it(
    project: Project, images: Engine, waits: dict[str, str], tmp_path: Path
) -> None:
    first = begin(project, waits)
    installer_of(tmp_path)
    second = begin(project, waits)
    assert second.stderr is not None
    assert "waiting for the image `partita:" in second.stderr.readline()
    (tmp_path / "go").write_text("")
    assert finish(first).code == 0
    done = finish(second)
    assert done.code == 0 and "building" not in done.err, done
    assert len(built(images)) == 1


#: An installer that ends once two of them have begun, and installs nothing.
TOGETHER = """
    import os, socket, sys
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(os.environ["TOGETHER"])
        line.recv(1)
    os.makedirs(sys.argv[sys.argv.index("--target") + 1])
"""


def test_images_that_differ_are_built_at_once(
    project: Project, command: str, images: Engine, tmp_path: Path
) -> None:
    use(command, "native", bare(images))
    project.write(
        "main.py",
        """
        from partita import DockerSettings, pipeline, step

        @step(settings={"docker": DockerSettings(requirements=["one"])})
        def first() -> int:
            return 1

        @step(settings={"docker": DockerSettings(requirements=["two"])})
        def second() -> int:
            return 2

        @pipeline
        def line():
            first()
            second()
        """,
    )
    installers = tmp_path / "installers/pip"
    installers.mkdir(parents=True)
    (installers / "__init__.py").touch()
    (installers / "__main__.py").write_text(textwrap.dedent(TOGETHER))
    with socket.socket(socket.AF_UNIX) as meeting:
        meeting.bind(str(tmp_path / "meeting"))
        meeting.listen()
        meeting.settimeout(PATIENCE)
        build = project.begin(
            "-m",
            "partita",
            "build",
            '{"target": "main.py"}',
            env={
                "PYTHONPATH": f"{installers.parent}:{project.environment()['PYTHONPATH']}",
                "TOGETHER": str(tmp_path / "meeting"),
            },
        )
        # The first one does not end before the second has begun.
        arrived = [meeting.accept()[0] for _ in range(2)]
        for line in arrived:
            line.close()
    finished = finish(build)
    assert finished.code == 0, finished
    assert len(built(images)) == 2


def test_what_a_build_has_fetched_is_there_for_the_next_one_and_in_no_image(
    project: Project, command: str, images: Engine
) -> None:
    use(command, "docker", with_sources(images))
    settings = 'cache_mounts=["/fetched"], environment={"PIP_CACHE_DIR": "/fetched"}'

    def build(requirements: str) -> str:
        write(project, f"{settings}, requirements={requirements}")
        finished = project.verb("build", target="main.py")
        assert finished.code == 0, finished
        (log,) = set((project.home / "images").glob("build-*.log")) - logs
        logs.add(log)
        return log.read_text()

    logs: set[Path] = set()
    # A distribution that comes as its sources is kept once it is built.
    assert "Building wheel for counted" in build('["counted"]')
    assert "Building wheel for counted" not in build('["counted", "greeting"]')
    for image in built(images):
        looks = "import os, counted; print(os.path.exists('/fetched') and os.listdir('/fetched'))"
        words = ("run", "--rm", "--network=none", image, "python", "-c", looks)
        assert images.docker(*words) in ("False", "[]")
    assert images.docker("images", "--quiet", "partita-part") == ""
    assert len(cache_mounts(images)) == 1


def test_a_command_of_a_build_that_is_cancelled_ends(
    project: Project, command: str, images: Engine
) -> None:
    hangs = f"open('/{PACKAGES}/pip/__main__.py', 'w').write('import time; time.sleep(1000)')"
    words = ("--quiet", "--force-rm", "--network=none", "--tag", "partita-test/hangs:1", "-")
    run = json.dumps(["python", "-c", hangs])
    images.docker("build", *words, text=f"FROM {with_pip(images)}\nRUN {run}\n")
    use(command, "docker", "partita-test/hangs:1")
    write(project, 'requirements=["greeting"], cache_mounts=["/fetched"]')
    starts = ["docker", "events", f"--since={int(time.time())}", "--filter=event=start"]
    starts.append("--format={{.Actor.Attributes.name}}")
    with subprocess.Popen(starts, stdout=subprocess.PIPE, text=True) as events:
        assert events.stdout is not None
        build = project.begin("-m", "partita", "build", '{"target": "main.py"}')
        assert any(name.startswith("partita-build-") for name in iter(events.stdout.readline, ""))
        finished = interrupt(build)
        events.terminate()
    assert finished.code == 130, finished
    assert (built(images), images.containers()) == ([], [])
    assert images.docker("images", "--quiet", "partita-part") == ""


@pytest.fixture
def full(images: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine whose disk is full, but for what the image `bare` of the other one takes."""
    name = f"full-{WORKER}"
    disk = SCRIPTS.parents[1] / "target/docker" / name / "data"
    environment = {**os.environ, "PARTITA_ENGINE": name}

    def script(verb: str) -> str:
        words = [SCRIPTS / "engine.sh", verb]
        done = subprocess.run(words, env=environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    script("purge-one")
    disk.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", disk], check=True)
    try:
        host = script("up")
        saved = tmp_path / "bare.tar"
        images.docker("save", "--output", str(saved), bare(images))
        engine = Engine(host, images.image)
        engine.docker("load", "--input", str(saved))
        saved.unlink()
        free = os.statvfs(disk)
        with open(disk / "other", "wb") as other:
            os.posix_fallocate(other.fileno(), 0, free.f_bavail * free.f_frsize - (4 << 20))
        monkeypatch.setenv("DOCKER_HOST", host)
        yield engine
    finally:
        script("purge-one")


def test_a_full_disk_is_told_of_and_nothing_is_left(
    project: Project, command: str, images: Engine, full: Engine
) -> None:
    use(command, "docker", bare(images))
    write(project, 'environment={"ANY": "1"}')
    for builder in ("docker", "native"):
        partita(command, "stack", "update", "boxed", "-i", builder)
        message = project.run().refusal
        assert "the image of step `sees` cannot be built: " in message
        assert "no space left on device" in message
        assert (built(full), full.containers()) == ([], [])
    assert Client().list_runs() == []
