"""A direct orchestrator in Python that runs steps in threads of its own."""

from __future__ import annotations

import textwrap

import pytest

from conftest import Project
from custom_flavors import use_flavor

THREADS = """
    from concurrent.futures import ThreadPoolExecutor
    from partita.orchestrators import BaseOrchestrator

    class MyOrchestrator(BaseOrchestrator):
        def prepare_or_run_pipeline(self, deployment, stack, environment):
            with ThreadPoolExecutor() as threads:
                list(threads.map(self.run_step, deployment.steps.values()))
"""

#: Steps that have no end, and say that they were interrupted.
LATE = {
    "function": """
        @step(timeout=1)
        def late() -> int:
            try:
                while True:
                    time.sleep(0.01)
            except KeyboardInterrupt:
                Path("interrupted.txt").write_text("")
                raise
    """,
    "command": """
        late = command_step(
            ["sh", "-c", "trap 'touch interrupted.txt; exit 1' TERM; while sleep 0.01; do :; done"],
            name="late",
            timeout=1,
        )
    """,
}

PIPELINE = """
import time
from pathlib import Path
from partita import command_step, pipeline, step

{late}

@step
def other() -> int:
    while not Path("interrupted.txt").exists():
        time.sleep(0.01)
    return 1

@pipeline(failure_mode="continue_on_failure")
def main():
    late()
    other()
"""


@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
def test_a_step_that_is_late_in_one_thread_leaves_those_of_others_alone(
    project: Project, command: str, late: str
) -> None:
    use_flavor(project, command, THREADS)
    project.write("main.py", PIPELINE.format(late=textwrap.dedent(late)))
    done = project.run()
    assert done.code == 1 and "timed out after 1s" in done.err, done
    assert "KeyboardInterrupt" not in done.err, done
    assert project.statuses() == {"late": "failed", "other": "completed"}, done
