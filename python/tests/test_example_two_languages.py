"""The example whose pipeline has steps in Rust and in Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Project
from partita import Client
from process_stack import use_process

pytest.importorskip("sklearn")

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("where", ["local", "process"])
def test_chapters_are_told_and_both_languages_are_cached(
    project: Project, command: str, where: str
) -> None:
    if where == "process":
        use_process(command)
    text = (ROOT / "examples/two_languages/pipeline.py").read_text()
    program = str(ROOT / "target/debug/features")
    path = 'Path(__file__).resolve().parents[2] / "target/release/features"'
    assert path in text
    project.write("pipeline.py", text.replace(path, repr(program)))
    done = project.run("pipeline.py")
    assert done.code == 0, done
    run = Client().get_run("latest")
    assert run.steps["train"].output.load() > 0.8
    assert "words are in several texts" in run.steps["vocabulary"].log
    assert run.steps["report"].output.load() in done.out
    assert project.run("pipeline.py").code == 0
    assert set(project.statuses().values()) == {"cached"}
