"""Orchestrators in Rust: the example of sandboxes runs pipelines."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from conftest import Project
from partita import Client
from process_stack import partita
from rust_programs import NUMBERS, start

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/custom_orchestrator_rust"
SANDBOX = str(ROOT / "target/debug/sandbox-orchestrator")


def use_sandbox(command: str, *options: str) -> None:
    """Makes a stack whose orchestrator is a sandbox the active one."""
    partita(command, "orchestrator", "flavor", "register", SANDBOX)
    partita(command, "orchestrator", "register", "sandbox", "--flavor=sandbox", *options)
    partita(command, "stack", "register", "sandbox", "-o", "sandbox", "-a", "default", "--set")


def test_a_step_in_a_sandbox_sees_its_own_processes_alone(project: Project, command: str) -> None:
    shutil.copy(EXAMPLE / "train.py", project.folder)
    use_sandbox(command)
    partita(command, "run", "train.py")
    run = Client().get_run("latest")
    assert run.status == "completed"
    assert run.steps["look_around"].output.load() <= 2
    assert run.steps["total"].output.load() == 0 + 1 + 4 + 9


ENTRYPOINT = """
    from pathlib import Path

    from partita.entrypoints import StepEntrypointConfiguration

    class Told(StepEntrypointConfiguration):
        @classmethod
        def get_entrypoint_options(cls):
            return super().get_entrypoint_options() | {"namespaces"}

        def post_run(self, pipeline_name, step_name):
            with Path("calls.txt").open("a") as calls:
                print(pipeline_name, step_name, self.entrypoint_args["namespaces"], file=calls)
"""


FAILS = """
    from partita import pipeline, step

    @step
    def works() -> int:
        return 1

    @step
    def fails(one: int) -> None:
        raise ValueError("no")

    @pipeline
    def main():
        fails(works())
"""


def test_options_of_a_rust_orchestrator_reach_the_entrypoint_that_it_names(
    project: Project, command: str
) -> None:
    project.write(".partita/config.toml", "")
    project.write("entry.py", ENTRYPOINT)
    shutil.copy(EXAMPLE / "train.py", project.folder)
    use_sandbox(command, "--entrypoint=entry.Told", '--namespaces=["user", "pid"]')
    partita(command, "run", "train.py", "--param", "count=1")
    told = sorted(project.lines())
    assert told == [f"train {step} user,pid" for step in ("look_around", "square", "total")]


def test_they_reach_it_also_where_a_program_enters_the_steps(
    project: Project, command: str
) -> None:
    project.write(".partita/config.toml", "")
    project.write("entry.py", ENTRYPOINT)
    use_sandbox(command, "--entrypoint=entry.Told", '--namespaces=["user", "pid"]')
    ran = start(NUMBERS, "run")
    assert ran.returncode == 0, ran
    run = Client().get_run("latest")
    assert sorted(project.lines()) == sorted(f"numbers {step} user,pid" for step in run.steps)
    assert [len(step.attempts) for step in run.steps.values()] == [1] * 5


def test_what_a_rust_orchestrator_does_after_a_step_is_done_in_its_executable(
    project: Project, command: str
) -> None:
    project.write("main.py", FAILS)
    use_sandbox(command, "--measure=true", '--namespaces=["user", "pid"]')
    done = subprocess.run([command, "run", "main.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "works took 0." in done.stderr and "with user,pid of its own" in done.stderr, done
    assert "fails took" not in done.stderr
    assert done.stderr.count("ValueError: no") == 2, done  # What failed, and where: once each.
    assert project.statuses() == {"works": "completed", "fails": "failed"}
    assert "ValueError: no" in Client().get_run("latest").steps["fails"].attempts[0]["error"]


def test_a_wrong_sandbox_is_refused_by_name(project: Project, command: str) -> None:
    use_sandbox(command)
    words = [command, "orchestrator", "update", "sandbox", "--namespaces=[]"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "`namespaces`: a sandbox has one namespace at least" in done.stderr
