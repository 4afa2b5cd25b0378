"""What another user wrote or a store merely names runs no code; the author's own classes are found."""

from __future__ import annotations

import os
import sqlite3

import pytest

from conftest import Project
from partita import Client, PartitaError
from two_steps import check_refused, two

DEFINED_HERE = """
    from dataclasses import dataclass
    from enum import Enum
    from partita import pipeline, step

    @dataclass
    class Model:
        weights: list

    class Color(Enum):
        RED = 1

    class Plain:
        def __init__(self, number):
            self.number = number

    @step
    def train() -> Model:
        return Model([1, 2, 3])

    @step
    def color() -> Color:
        return Color.RED

    @step
    def plain() -> Plain:
        return Plain(7)

    @step
    def check(model: Model, red: Color, number: Plain) -> int:
        assert type(model) is Model and red is Color.RED
        return sum(model.weights) + number.number

    @pipeline
    def classes():
        check(train(), color(), plain())

    if __name__ == "__main__":
        run = classes()
        assert type(run.steps["train"].output.load()) is Model
"""


@pytest.mark.parametrize("first", ["script", "target"])
def test_classes_of_the_script_itself_pass_from_step_to_step(project: Project, first: str) -> None:
    project.write("main.py", DEFINED_HERE)
    starts = [lambda: project.python("main.py"), project.run]
    if first == "target":
        starts.reverse()
    for start in starts:
        ended = start()
        assert ended.code == 0, ended
        assert Client().get_run("latest").steps["check"].output.load() == 13
    assert set(project.statuses().values()) == {"cached"}


def test_a_marked_folder_of_another_user_is_refused(project: Project) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a folder to another user")
    two(project)
    mark = project.folder / ".partita"
    mark.mkdir()
    os.chown(mark, 65534, 65534)
    check_refused(project.run(), str(project.folder), "another user")
    assert not project.home.exists() or Client().list_runs() == []


UNTRUSTED = """
UPDATE components SET config = json_set(config, '$.trust_pickles', json('false'))
"""


def distrust(project: Project) -> None:
    """Makes the default artifact store one whose pickles are not trusted."""
    with sqlite3.connect(project.home / "metadata.db") as database:
        database.execute(UNTRUSTED + " WHERE type = 'artifact_store'")


def test_a_pickle_in_a_store_that_is_not_trusted_is_never_loaded(project: Project) -> None:
    two(project, "return Odd()", options="(output_materializers=None)")
    script = project.folder / "main.py"
    odd = "class Odd:\n    def __reduce__(self):\n        return os.mkdir, ('loaded',)\n\n@step"
    script.write_text(script.read_text().replace("@step(", odd + "(", 1))
    ended = project.run()
    assert (project.folder / "loaded").exists(), ended
    (project.folder / "loaded").rmdir()
    distrust(project)
    with pytest.raises(PartitaError, match="trust_pickles"):
        Client().get_run("latest").steps["make"].output.load()
    script.write_text(script.read_text().replace("return 1", "return 2"))
    assert project.run().code == 1
    assert "trust_pickles" in str(Client().get_run("latest").error)
    assert not (project.folder / "loaded").exists()


def test_a_class_that_a_stored_document_names_is_never_imported(project: Project) -> None:
    project.write("main.py", DEFINED_HERE)
    project.write("evil.py", "open('imported', 'w')\nclass Model: pass\n")
    assert project.run().code == 0
    for path in project.store.glob("runs/*/steps/*.json"):
        path.write_text(path.read_text().replace("main.Model", "evil.Model"))
    with pytest.raises(PartitaError, match="no loaded module has that class"):
        Client().get_run("latest").steps["train"].output.load()
    assert not (project.folder / "imported").exists()
