"""What an orchestrator in Python says is told, however long it is, and whoever says it."""

from __future__ import annotations

import pytest

from conftest import Project
from custom_flavors import LAUNCHER, use_flavor

#: More than a message of the plugin protocol may have.
MUCH = "('x' * 99 + chr(0xD800)) * (1 << 18)"

LOGS = (
    LAUNCHER
    + f"""
        def logs(self, job_id):
            return {MUCH}
"""
)

TELLS = LAUNCHER.replace("exit_code=code)", f"message='odd ' + {MUCH})")

RAISES = LAUNCHER.replace(
    "process = subprocess", f"raise ValueError('odd ' + {MUCH}); process = subprocess"
)

STEPS = """
    import os
    from partita import pipeline, step

    @step
    def fails():
        os._exit(3)

    @pipeline
    def failing():
        fails()
"""


@pytest.mark.parametrize(
    ("implementation", "part"), [(LOGS, "exit code 3"), (TELLS, "odd"), (RAISES, "ValueError: odd")]
)
def test_what_is_too_long_for_a_message_is_told_in_part(
    project: Project, command: str, implementation: str, part: str
) -> None:
    use_flavor(project, command, implementation)
    project.write("main.py", STEPS)
    done = project.run("main.py:failing")
    assert done.code == 1, done
    told = [line for line in done.err.splitlines() if line.startswith("fails: failed")]
    assert len(told) == 1 and part in told[0], done
    assert "16 MiB" not in done.err and "plugin" not in told[0], done


FORKS = """
    import os
    from partita.orchestrators import BaseOrchestrator

    class MyOrchestrator(BaseOrchestrator):
        def prepare_or_run_pipeline(self, deployment, stack, environment):
            for step in deployment.steps.values():
                child = os.fork()
                if child == 0:
                    try:
                        self.run_step(step)
                    except Exception as error:
                        print(error)
                    os._exit(1)
                os.waitpid(child, 0)
"""


def test_a_step_that_is_run_in_a_forked_process_is_refused_and_the_run_ends(
    project: Project, command: str
) -> None:
    use_flavor(project, command, FORKS)
    done = project.run()
    assert done.code == 1, done
    assert "a step is run in a process that was forked" in done.err, done
    assert project.statuses()["make"] == "failed"


NAMELESS = (
    LAUNCHER
    + """
        def get_orchestrator_run_id(self):
            return 5
"""
)


def test_an_id_that_is_no_text_is_told_of(project: Project, command: str) -> None:
    use_flavor(project, command, NAMELESS)
    done = project.run()
    assert done.code == 0, done
    assert done.err.count("`get_orchestrator_run_id` returned `5`") == 1, done
