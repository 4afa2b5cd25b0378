"""The users that steps in containers are run by, and whose the files are that they write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Project
from docker_engine import Engine
from docker_steps import somebody, with_people, write_one
from partita import Client

#: Who owns the artifact store, and is not root.
OWNER = 1500

AS_DOCKER_SETTING = ', settings={{"docker": DockerSettings(user="{}")}}'
AS_ORCHESTRATOR_SETTING = ', settings={{"orchestrator.docker": {{"user": "{}"}}}}'


def give(folder: Path, user: int = OWNER) -> None:
    """Makes a folder with all that is in it somebody's."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user)


@pytest.mark.parametrize("setting", [AS_DOCKER_SETTING, AS_ORCHESTRATOR_SETTING])
def test_a_user_who_may_not_write_to_the_store_is_refused_before_the_run(
    project: Project, command: str, engine: Engine, setting: str
) -> None:
    engine.use(command)
    write_one(project, "pass", setting.format("1234"))
    refusal = project.run().refusal
    assert "step `one` is to run as `1234`, who may not write to the artifact store" in refusal
    assert f"folder `{project.store}`; take `user` away: the step then runs as you" in refusal
    assert (engine.containers(), list(Client().list_runs())) == ([], [])


def test_names_of_users_are_those_of_the_image(
    project: Project, command: str, engine: Engine
) -> None:
    image = with_people(engine)
    engine.use(command, parent_image=image)

    def refused(user: str) -> str:
        write_one(project, "pass", AS_ORCHESTRATOR_SETTING.format(user))
        return project.run().refusal

    lacks = f"and the image `{image}` has no"
    assert f"step `one` is to run as `nosuch`, {lacks} user `nosuch`" in refused("nosuch")
    assert f"{lacks} group `nosuch`" in refused("app:nosuch")
    assert "is to run as `app:team`, who may not write to" in refused("app:team")

    give(project.home)
    for user, expected in [("app", (1500, 1600)), ("app:team", (1500, 1601)), ("root", (0, 0))]:
        write_one(
            project,
            'print(os.getuid(), os.getgid(), file=open("/dev/stdout", "w"))',
            AS_ORCHESTRATOR_SETTING.format(user),
        )
        done = project.run()
        assert done.code == 0, done
        step = Client().get_run("latest").steps["one"]
        assert step.log.split() == [str(number) for number in expected]
    assert engine.containers() == []


def test_numbers_that_may_write_take_no_image_that_knows_them(
    project: Project, command: str, engine: Engine
) -> None:
    engine.use(command)
    give(project.home)
    for user in ("1500", "1500:1234", "0"):
        write_one(project, "pass", AS_DOCKER_SETTING.format(user))
        done = project.run()
        assert done.code == 0, done


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project of somebody's, where that user gets to."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        made = Project(Path(folder, "project"), Path(folder, "home"))
        made.folder.mkdir()
        monkeypatch.setenv("PARTITA_HOME", str(made.home))
        yield made


def test_what_root_writes_in_a_container_belongs_to_the_author(
    place: Project, command: str, engine: Engine
) -> None:
    engine.use(command)
    place.write(
        "main.py",
        """
        import os
        from pathlib import Path
        from partita import DockerSettings, pipeline, step

        root = {"docker": DockerSettings(user="0:0")}

        @step(settings=root)
        def files() -> Path:
            Path("made/deep").mkdir(parents=True)
            Path("made/deep/file.txt").write_text(str(os.getuid()))
            print("logged")
            return Path("made")

        @step(settings=root)
        def each(number: int) -> list[float]:
            return [number / 2] * 10_000

        @step(settings=root)
        def reads(made: Path) -> str:
            return (made / "deep/file.txt").read_text()

        @pipeline
        def line():
            each.map([1, 2])
            reads(files())
        """,
    )
    give(place.folder.parent)
    words = [*somebody(OWNER), sys.executable, "-m", "partita", "run"]
    done = subprocess.run(
        [*words, json.dumps({"target": "main.py"})],
        cwd=place.folder,
        env=place.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done
    assert Client().get_run("latest").steps["reads"].output.load() == "0"
    written = [place.store, *place.store.rglob("*")]
    assert any(path.name == "file.txt" for path in written)
    others = {path for path in written if (path.stat().st_uid, path.stat().st_gid) != (OWNER,) * 2}
    assert others == set()


def test_doctor_tells_of_the_engine_of_each_orchestrator_of_the_active_stack(
    project: Project, command: str, engine: Engine
) -> None:
    def rows() -> tuple[int, list[tuple[str, str]]]:
        words = [command, "doctor", "--output", "json"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        found = [row for row in json.loads(done.stdout) if row["name"] == "engine"]
        return done.returncode, [(row["verdict"], row["message"]) for row in found]

    assert rows()[1] == []
    engine.use(command)
    version = engine.docker("version", "--format", "{{.Server.Version}}")
    told = f"`boxed` has the one at `{engine.host}`, version {version}"
    assert rows() == (0, [("ok", told)])
    engine.stop()
    code, ((verdict, message),) = rows()
    assert (code, verdict) == (1, "problem")
    assert f"the Docker engine at `{engine.host}` cannot be reached" in message
    assert "start it, or say where it is with `DOCKER_HOST`" in message
