"""What a step noted before it failed, and what a hook raised, is kept and can be rebuilt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from conftest import Project
from partita import Client

NOTES = """
    from partita import log_metadata, pipeline, step

    @step
    def make() -> int:
        return 41

    @step
    def take(value: int) -> int:
        log_metadata({"rows": value})
        raise ValueError("bad")

    @pipeline
    def two():
        take(make())
"""

HOOKS = """
    from partita import pipeline, step

    def broken(*error):
        raise KeyError("hook")

    @step
    def make() -> int:
        {body}
        return 1

    @pipeline(on_success=broken, on_failure=broken)
    def one():
        make()
"""


def described(project: Project, *arguments: str) -> str:
    """What the command prints."""
    command = os.path.join(os.path.dirname(sys.executable), "partita")
    process = subprocess.run(
        [command, *arguments], env=project.environment(), capture_output=True, check=True, text=True
    )
    return process.stdout


def steps(project: Project) -> dict[str, Any]:
    """The steps of the latest run, as scripts read them."""
    return json.loads(described(project, "runs", "describe", "latest", "--output", "json"))["steps"]


def test_a_failed_step_keeps_its_metadata_and_inputs(project: Project) -> None:
    project.write("main.py", NOTES)
    assert project.run().code == 1
    before = steps(project)
    assert before["take"]["metadata"] == {"rows": 41}
    made = before["make"]["outputs"]["output"]["artifact_version"]
    assert before["take"]["inputs"]["value"]["artifact_version"] == made
    for path in project.home.glob("metadata.db*"):
        path.unlink()
    described(project, "store", "rebuild")
    assert steps(project) == before


@pytest.mark.parametrize(
    ("body", "hook", "code"), [("pass", "on_success", 0), ("1 / 0", "on_failure", 1)]
)
def test_a_pipelines_hook_that_raises_is_recorded_and_changes_no_status(
    project: Project, body: str, hook: str, code: int
) -> None:
    project.write("main.py", HOOKS.format(body=body))
    finished = project.run()
    assert finished.code == code
    assert f"the hook `{hook}` of pipeline `one` raised KeyError('hook')" in finished.err
    (path,) = project.store.glob("runs/*/events.jsonl")
    events = [json.loads(line) for line in path.read_text().splitlines()]
    (noted,) = [event for event in events if event["event"] == "hook_failed"]
    assert (noted["hook"], noted["error"]) == (hook, "KeyError: 'hook'")
    assert "step" not in noted
    status = Client().get_run("latest").status
    for path in project.home.glob("metadata.db*"):
        path.unlink()
    described(project, "store", "rebuild")
    assert Client().get_run("latest").status == status


def test_of_a_very_long_message_the_ends_are_kept(project: Project) -> None:
    project.write("main.py", NOTES.replace('"bad"', '"good" + 50_000_000 * "x" + "bad"'))
    assert project.run().code == 1
    message = Client().get_run("latest").steps["take"].attempts[0]["error"]
    assert len(message) < 200_000
    assert message.startswith("ValueError: good") and message.endswith("bad")
    assert "[49900007 characters are left out]" in message
