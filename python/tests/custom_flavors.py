"""Flavors in Python for tests: a project that has them, and a stack that uses one."""

from __future__ import annotations

import subprocess

from conftest import Finished, Project
from process_stack import partita

CONFIG = """
    from pydantic import field_validator
    from partita.orchestrators import BaseOrchestratorConfig

    class MyOrchestratorConfig(BaseOrchestratorConfig):
        queue: str
        nodes: int = 1

        @field_validator("queue")
        @classmethod
        def known(cls, queue: str) -> str:
            if queue == "closed":
                raise ValueError("the queue is closed")
            return queue
"""

FLAVOR = """
    from partita.orchestrators import BaseOrchestratorFlavor, Supply

    class MyOrchestratorFlavor(BaseOrchestratorFlavor):
        '''Runs steps my way.'''

        @property
        def name(self) -> str:
            return "mine"

        @property
        def config_class(self):
            from flavors.config import MyOrchestratorConfig
            return MyOrchestratorConfig

        @property
        def supply(self):
            return Supply(memory="any", max_parallelism=4)

        @property
        def implementation_class(self):
            from flavors.implementation import MyOrchestrator
            return MyOrchestrator
"""

DIRECT = """
    from partita.orchestrators import BaseOrchestrator

    class MyOrchestrator(BaseOrchestrator):
        def prepare_or_run_pipeline(self, deployment, stack, environment):
            for step in deployment.steps.values():
                print("next is", step.name, "on", self.config.queue)
                self.run_step(step)
"""

LAUNCHER = """
    import os
    import subprocess
    from partita.enums import JobStatus
    from partita.orchestrators import BaseOrchestrator, JobReport

    class MyOrchestrator(BaseOrchestrator):
        poll_interval = 0.01

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.jobs = {}

        def launch(self, attempt, command, environment, resources):
            process = subprocess.Popen(command, env={**os.environ, **environment})
            self.jobs[attempt.id] = process
            return attempt.id

        def poll(self, job_id):
            code = self.jobs[job_id].poll()
            if code is None:
                return JobStatus.ACTIVE
            return JobReport("completed" if code == 0 else "failed", exit_code=code)

        def cancel(self, job_id):
            self.jobs[job_id].terminate()
"""

PIPELINE = """
    import os
    from pathlib import Path

    from partita import ResourceSettings, StepRetryConfig, get_step_context, pipeline, step

    @step
    def make(count: int) -> list[int]:
        with Path("calls.txt").open("a") as calls:
            print("make", os.getpid(), file=calls)
        return list(range(count))

    @step
    def double(x: int) -> int:
        return 2 * x

    @step
    def add(values: list[int]) -> int:
        with Path("calls.txt").open("a") as calls:
            print("add", os.getpid(), file=calls)
        print("adding")
        return sum(values)

    @pipeline
    def line(count: int = 4):
        add(double.map(make(count)))
"""


def write_flavor(project: Project, implementation: str = DIRECT) -> None:
    """Writes the package `flavors` into a marked source root."""
    project.write(".partita/config.toml", "")
    project.write("flavors/__init__.py", "")
    project.write("flavors/config.py", CONFIG)
    project.write("flavors/my_flavor.py", FLAVOR)
    project.write("flavors/implementation.py", implementation)


SOURCE = "flavors.my_flavor.MyOrchestratorFlavor"


def use_flavor(project: Project, command: str, implementation: str | None = DIRECT) -> None:
    """Makes a stack with an orchestrator of the flavor the active one; writes it unless it is there."""
    if implementation is not None:
        write_flavor(project, implementation)
    project.write("main.py", PIPELINE)
    partita(command, "orchestrator", "flavor", "register", SOURCE)
    partita(command, "orchestrator", "register", "own", "--flavor=mine", "--queue=a100")
    partita(command, "stack", "register", "own", "-o", "own", "-a", "default", "--set")


def told(command: str, *words: str) -> Finished:
    """Runs a command, however it ends."""
    done = subprocess.run([command, *words], capture_output=True, text=True, check=False)
    return Finished(done.returncode, done.stdout, done.stderr)
