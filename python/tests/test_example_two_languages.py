"""The example whose pipeline has steps in Rust and in Python."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Project
from partita import Client
from process_stack import partita, use_process

pytest.importorskip("sklearn")

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("where", ["local", "process"])
@pytest.mark.parametrize("by", ["itself", "the command"])
def test_chapters_are_told_and_both_languages_are_cached(
    project: Project, command: str, where: str, by: str
) -> None:
    if where == "process":
        use_process(command)

    def run() -> str:
        if by == "the command":
            return partita(command, "run", "pipeline.py")
        done = project.python("pipeline.py")
        assert done.code == 0, done
        return done.out

    text = (ROOT / "examples/two_languages/pipeline.py").read_text()
    program = str(ROOT / "target/debug/features")
    path = 'Path(__file__).resolve().parents[2] / "target/release/features"'
    assert path in text
    project.write("pipeline.py", text.replace(path, repr(program)))
    printed = run()
    steps = Client().get_run("latest").steps
    assert steps["train"].output.load() > 0.8
    assert "words are in several texts" in steps["vocabulary"].log
    assert steps["report"].output.load() in printed
    run()
    assert set(project.statuses().values()) == {"cached"}
