"""A pipeline of two steps, for tests of what goes wrong in one, and what has to be said then."""

from __future__ import annotations

from conftest import Finished, Project
from partita import Client

#: Two steps; what the first one does and returns is filled in.
TWO = """
    import os, sys
    from typing import Annotated
    from partita import pipeline, step

    @step{options}
    def make(){returns}:
        {body}

    @step
    def take(value) -> int:
        return 1

    @pipeline
    def two():
        {calls}

    if __name__ == "__main__":
        two()
"""


def two(
    project: Project,
    body: str = "return 1",
    *,
    returns: str = "",
    options: str = "",
    calls: str = "take(make())",
) -> None:
    """Writes a pipeline of two steps."""
    text = TWO.format(body=body, returns=returns, options=options, calls=calls)
    project.write("main.py", text)


def check_refused(finished: Finished, *words: str) -> None:
    """Checks that one paragraph says all of these words."""
    message = finished.refusal
    for word in words:
        assert word in message, message


def check_failed(project: Project, *words: str) -> None:
    """Checks that the first step fails with a message that says all of these words."""
    finished = project.run()
    assert finished.code == 1, finished
    assert "bug in Partita" not in finished.err
    assert "/src/partita/" not in finished.err, finished.err
    run = Client().get_run("latest")
    assert run.status == "failed"
    assert project.statuses()["make"] == "failed"
    assert run.error is not None
    assert len(run.error.splitlines()) <= 2, run.error
    for word in words:
        assert word in run.error, run.error
