"""Steps that name an orchestrator of their stack other than its default one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from conftest import Project

PIPELINE = """
    from partita import pipeline, step

    @step
    def quick() -> int:
        return 1

    @step(orchestrator="patient", timeout="1m")
    def slow(x: int) -> int:
        return x

    @pipeline
    def both():
        slow(quick())
"""


@pytest.fixture
def two(project: Project) -> Project:
    """A project with a stack `two`, whose second orchestrator lets more through than its first."""
    command = shutil.which("partita", path=os.path.dirname(sys.executable))
    if command is None:
        pytest.skip("the `partita` command is not installed")
    for words in (
        "orchestrator register patient --flavor=local --allow_unenforced=true",
        "stack register two -o default -o patient -a default",
    ):
        subprocess.run([command, *words.split()], check=True, capture_output=True)
    project.write("main.py", PIPELINE)
    return project


def test_a_step_is_checked_against_the_orchestrator_that_it_names(two: Project) -> None:
    compiled = two.verb("compile", target="main.py", stack="two")
    steps = {step["name"]: step for step in json.loads(compiled.out)["steps"]}
    assert steps["slow"]["config"]["orchestrator"] == "patient"
    assert "orchestrator" not in steps["quick"].get("config", {})
    refused = two.verb("compile", target="main.py").refusal
    assert "which stack `default` does not have" in refused
    two.write("main.py", PIPELINE.replace('orchestrator="patient", ', ""))
    refused = two.verb("compile", target="main.py", stack="two").refusal
    assert "a timeout of 1m, which orchestrator `default`" in refused
