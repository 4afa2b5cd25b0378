"""Orchestrators that cannot be opened for a run: that fails the run, and no step of it."""

from __future__ import annotations

import pytest

from conftest import Project
from custom_flavors import DIRECT, use_flavor, write_flavor
from partita import Client

PREPARES = (
    DIRECT
    + """
        def prepare_pipeline_deployment(self, deployment, stack):
            raise RuntimeError("the queue is full")
"""
)

REFUSES = (
    DIRECT
    + """
        @property
        def validator(self):
            from partita.stack import StackValidator
            refused = lambda stack: (False, "the store is too far")
            return StackValidator(custom_validation_function=refused)
"""
)

RETRIED = """
    from partita import StepRetryConfig, pipeline, step

    @step(retry=StepRetryConfig(max_retries=2))
    def first() -> int:
        return 1

    @step
    def last(value: int) -> int:
        return value + 1

    @pipeline
    def retried():
        last(first())
"""

MISSING = "import gone_module\n"


@pytest.mark.parametrize(
    ("way", "implementation", "why"),
    [
        ("direct", MISSING, "gone_module"),
        ("delegates", MISSING, "gone_module"),
        ("direct", REFUSES, "the store is too far"),
        ("delegates", REFUSES, "the store is too far"),
        ("delegates", PREPARES, "the queue is full"),
    ],
)
def test_what_cannot_be_opened_fails_the_run_once_and_it_is_resumed_when_mended(
    project: Project, command: str, way: str, implementation: str, why: str
) -> None:
    write_flavor(project, implementation)
    if way == "delegates":
        flavor = project.folder / "flavors/my_flavor.py"
        said = flavor.read_text().replace("max_parallelism=4", "max_parallelism=4, delegates=True")
        flavor.write_text(said)
    use_flavor(project, command, None)
    project.write("main.py", RETRIED)
    done = project.run("main.py:retried")
    assert done.code == 1, done
    told = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(told) == 1 and why in told[0], done
    assert told[0].count("the orchestrator `own`") == told[0].count(why) == 1, done
    for wrong in (
        "retrying",
        "attempt 2",
        "goes on where it stopped",
        "first: failed",
        "first: started",
    ):
        assert wrong not in done.err, done
    assert "help: mend that, then `partita runs resume retried-" in done.err
    run = Client().get_run("latest")
    assert run.status == "failed"
    assert project.statuses() == {"first": "skipped", "last": "skipped"}
    if way == "direct":
        project.write("flavors/implementation.py", DIRECT)
        resumed = project.resume(run.id, "main.py:retried")
        assert resumed.code == 0 and "may still run" not in resumed.err, resumed
        assert "(2 completed)" in resumed.err
