"""A lost index comes back from the artifact store, the same as it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

from conftest import Project
from partita import Client

PIPELINE = """
    import os
    from partita import log_metadata, pipeline, step, StepRetryConfig

    @step
    def load() -> bytes:
        log_metadata({"rows": 3})
        print("loaded")
        return bytes(100_000)

    @step(enable_cache=False, retry=StepRetryConfig(max_retries=1))
    def train(data: bytes, how: str) -> int:
        if how == "crash":
            os._exit(1)
        if how == "cancel":
            raise KeyboardInterrupt
        if how == "fail":
            raise ValueError("no")
        return len(data)

    @step(enable_cache=False)
    def report(size: int) -> None:
        print(size)

    @pipeline
    def models(how: str):
        report(train(load(), how))
"""

STATUSES = {
    "complete": "completed",
    "fail": "failed",
    "cancel": "cancelled",
    "crash": "interrupted",
}
CODES = {"complete": 0, "fail": 1, "cancel": 130, "crash": 1}


@pytest.fixture
def command() -> str:
    """The `partita` command beside the Python that runs the tests."""
    found = shutil.which("partita", path=os.path.dirname(sys.executable))
    if found is None:
        pytest.skip("the `partita` command is not installed")
    return found


def described(command: str, run: str) -> dict[str, Any]:
    """What `partita runs describe` says of a run."""
    arguments = [command, "runs", "describe", run, "--output", "json"]
    told = subprocess.run(arguments, capture_output=True, text=True, check=True)
    view: dict[str, Any] = json.loads(told.stdout)
    return view


def test_a_rebuilt_index_describes_every_run_as_before(project: Project, command: str) -> None:
    project.write("main.py", PIPELINE)
    for how, code in CODES.items():
        ended = project.run(parameters={"how": how}, run_name=how)
        assert ended.code == code, ended
    before = {how: described(command, how) for how in CODES}
    statuses = {how: view["status"] for how, view in before.items()}
    assert statuses == STATUSES
    subprocess.run([command, "runs", "delete", "fail", "--yes"], capture_output=True)
    kept = [run.name for run in Client().list_runs()]
    for path in project.home.glob("metadata.db*"):
        path.unlink()
    assert Client().list_runs() == []
    subprocess.run([command, "store", "rebuild"], check=True, capture_output=True)
    assert [run.name for run in Client().list_runs()] == kept
    for name in kept:
        assert described(command, name) == before[name]
