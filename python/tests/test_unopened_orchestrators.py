"""Orchestrators that cannot be opened for a run, or fail in it: that fails the run, and no step."""

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
        ("direct", PREPARES, "the queue is full"),
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


#: Goes wrong once the first step has ended.
WRONG_BETWEEN = """
    import os
    from partita.orchestrators import BaseOrchestrator

    class MyOrchestrator(BaseOrchestrator):
        def prepare_or_run_pipeline(self, deployment, stack, environment):
            first, last = deployment.steps.values()
            self.run_step(first)
            GOES_WRONG
            self.run_step(last)
"""


@pytest.mark.parametrize(
    ("goes_wrong", "why"),
    [
        (
            "os._exit(3)",
            "failed, 3 times in this run: the plugin `flavors.my_flavor.MyOrchestratorFlavor` ended with exit code 3",
        ),
        ("raise RuntimeError('the queue is full')", "the queue is full"),
    ],
)
def test_an_orchestrator_that_goes_wrong_between_steps_fails_the_run_once_and_no_step(
    project: Project, command: str, goes_wrong: str, why: str
) -> None:
    use_flavor(project, command, WRONG_BETWEEN.replace("GOES_WRONG", goes_wrong))
    main = RETRIED.replace("@step\n", "@step(retry=StepRetryConfig(max_retries=3))\n")
    project.write("main.py", main)
    done = project.run("main.py:retried")
    assert done.code == 1, done
    told = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(told) == 1 and why in told[0], done
    assert told[0].count("the orchestrator `own`") == 1, done
    assert "last: started" not in done.err and "retrying" not in done.err, done
    assert project.statuses() == {"first": "completed", "last": "skipped"}
    project.write("flavors/implementation.py", DIRECT)
    assert project.resume("latest", "main.py:retried").code == 0
    assert project.statuses() == {"first": "completed", "last": "completed"}
