"""What the engine does for an orchestrator that goes through the steps in its own order."""

from __future__ import annotations

from conftest import Project
from custom_flavors import DIRECT, use_flavor
from partita.client import Client

#: The last step whose upstream steps have ended comes first.
BACKWARDS = """
    from partita.orchestrators import BaseOrchestrator

    class MyOrchestrator(BaseOrchestrator):
        def prepare_or_run_pipeline(self, deployment, stack, environment):
            left = dict(deployment.steps)
            while left:
                ready = [step for step in left.values() if not left.keys() & set(step.spec.upstream_steps)]
                step = ready[-1]
                print("next is", step.name)
                self.run_step(step)
                del left[step.name]
"""

STEPS = """
    import time
    from partita import pipeline, step

    @step(limits={"licence": 1})
    def long() -> int:
        time.sleep(2.2)
        return 1

    @step(limits={"licence": 1}, timeout="2s")
    def short() -> int:
        return 2

    @step(timeout="2s")
    def item(number: int) -> int:
        time.sleep(0.3)
        return number

    @pipeline
    def main():
        long()
        short()

    @pipeline
    def items():
        item.map(list(range(8)))
"""


def test_it_runs_the_steps_in_its_own_order_under_a_limit(project: Project, command: str) -> None:
    use_flavor(project, command, BACKWARDS)
    project.write("main.py", STEPS)
    done = project.run("main.py:main")
    assert done.code == 0, done
    assert done.err.index("next is short") < done.err.index("next is long")
    assert done.err.index("short: completed") < done.err.index("long: started")


def test_the_time_of_a_step_begins_when_it_is_run(project: Project, command: str) -> None:
    use_flavor(project, command, DIRECT)
    project.write("main.py", STEPS)
    done = project.run("main.py:main")
    assert done.code == 0, done
    run = Client().get_run("latest")
    assert [len(run.steps[name].attempts) for name in ("long", "short")] == [1, 1]
    assert project.run("main.py:items").code == 0
