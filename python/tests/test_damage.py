"""Damaged documents, artifacts and databases are named, never believed, and cost nothing else."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from conftest import Project
from partita import Client, PartitaError
from two_steps import check_refused, two


def stored(project: Project) -> Path:
    """Runs a pipeline that stores an artifact in files; returns its folder."""
    two(project, "return bytes(100_000)", returns=" -> bytes")
    assert project.run().code == 0
    (manifest,) = project.store.glob("artifacts/*/*/manifest.json")
    return manifest.parent


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "manifest", "device"])
def test_a_damaged_artifact_is_never_loaded(project: Project, damage: str) -> None:
    folder = stored(project)
    (data,) = (path for path in folder.iterdir() if path.name != "manifest.json")
    content = data.read_bytes()
    match damage:
        case "flip":
            data.write_bytes(content[:500] + b"\x01" + content[501:])
        case "cut":
            data.write_bytes(content[:-1])
        case "gone":
            data.unlink()
        case "manifest":
            manifest = json.loads((folder / "manifest.json").read_text())
            manifest["files"][0]["path"] = "../../../../secret"
            (folder / "manifest.json").write_text(json.dumps(manifest))
        case _:
            data.unlink()
            data.symlink_to("/dev/zero")
    with pytest.raises(PartitaError, match="corrupt"):
        Client().get_run("latest").steps["make"].output.load()
    script = project.folder / "main.py"
    script.write_text(script.read_text().replace("return 1", "return 2"))
    ended = project.run()
    assert ended.code == 1, ended
    ended.check_no_faults()
    assert project.statuses() == {"make": "cached", "take": "failed"}
    assert "corrupt" in str(Client().get_run("latest").error)
    assert project.run(enable_cache=False).code == 0


def test_an_edited_value_in_a_document_is_never_loaded(project: Project) -> None:
    project.write(
        "main.py",
        """
        import sys
        from partita import pipeline, step

        @step
        def make() -> list[int]:
            return [1, 2]

        @step
        def take(values: list[int], more: int) -> int:
            return sum(values) + more

        @pipeline
        def sums(more: int = 0):
            take(make(), more)
        """,
    )
    assert project.run().code == 0
    for path in [*project.store.glob("runs/*/steps/*.commit.json"), *project.store.glob("cache/*")]:
        path.write_text(path.read_text().replace("[1,2]", "[7,7]"))
    with pytest.raises(PartitaError, match="corrupt"):
        Client().get_run("latest").steps["make"].output.load()
    # The cache is a shortcut only: the step runs.
    assert project.run(parameters={"more": "1"}).code == 0
    assert project.statuses() == {"make": "completed", "take": "completed"}
    assert "corrupt" in (project.reasons()["make"] or "")
    assert Client().get_run("latest").steps["take"].output.load() == 4


DAMAGES = {
    "truncated": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "edited": lambda text: text.replace('"version":1', '"version":1,', 1),
    "newer": lambda text: text.replace('"version":1', '"version":99', 1),
    "other": lambda text: "[]",
    "deep": lambda text: "[" * 100_000,
    "binary": lambda text: "\x00\xff",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("document", ["runs/*/run.json", "deployments/*.json"])
def test_a_damaged_document_is_named_and_nothing_else_is_lost(
    project: Project, document: str, damage: str
) -> None:
    two(project, "os.path.exists('go') or os._exit(1); return 1")
    project.run()
    (path,) = project.store.glob(document)
    path.write_text(DAMAGES[damage](path.read_text()), encoding="utf-8")
    (run,) = Client().list_runs()
    assert run.status == "interrupted"
    assert path.name in (run.error or ""), run.error
    if path.parent.name == "deployments":  # Nothing else says what the run's steps are.
        with pytest.raises(PartitaError, match=path.name):
            Client().get_run("latest")
    project.write("go", "")
    check_refused(project.resume("latest"), path.name, "version" if damage == "newer" else "")
    assert project.run().code == 0
    assert [one.status for one in Client().list_runs()] == ["completed", "interrupted"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_commit_keeps_its_run_from_being_resumed(project: Project, damage: str) -> None:
    two(project)
    project.write(
        "main.py",
        (project.folder / "main.py")
        .read_text()
        .replace(
            "def take(value) -> int:", "def take(value) -> int:\n    os.path.exists('go') or 1 / 0"
        ),
    )
    assert project.run().code == 1
    (path,) = project.store.glob("runs/*/steps/*.commit.json")
    path.write_text(DAMAGES[damage](path.read_text()), encoding="utf-8")
    project.write("go", "")
    check_refused(project.resume("latest"), "commit.json")
    assert project.run(enable_cache=False).code == 0


def test_a_database_of_a_newer_version_is_refused(project: Project) -> None:
    two(project)
    assert project.run().code == 0
    with sqlite3.connect(project.home / "metadata.db") as database:
        database.execute("PRAGMA user_version = 99")
    check_refused(project.run(), "99", "newer")
    with sqlite3.connect(project.home / "metadata.db") as database:
        assert database.execute("SELECT count(*) FROM runs").fetchone() == (1,)


def test_a_database_that_is_none_is_refused(project: Project) -> None:
    project.home.mkdir()
    (project.home / "metadata.db").write_bytes(b"not a database at all" * 100)
    two(project)
    check_refused(project.run(), "metadata.db", "partita store rebuild")


def test_a_home_that_is_a_file_is_refused(project: Project) -> None:
    project.home.write_text("")
    two(project)
    check_refused(project.run(), "`PARTITA_HOME`", str(project.home))
