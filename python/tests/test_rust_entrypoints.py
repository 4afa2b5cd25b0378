"""Steps of programs in Rust whose entrypoints an orchestrator starts by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from conftest import PATIENCE, Project
from custom_flavors import DIRECT, LAUNCHER, use_flavor, write_flavor
from partita import Client
from rust_programs import FAILING, NUMBERS, start
from test_started_entrypoints import STARTS, WAYS, use
from test_submitted_runs import state
from test_submitted_runs import use as use_submitting


@WAYS
def test_a_pipeline_of_a_program_runs_and_is_cached(
    project: Project, command: str, way: str
) -> None:
    use(project, command, way)
    done = start(NUMBERS, "run")
    assert done.returncode == 0, done
    assert set(project.statuses().values()) == {"completed"}
    run = Client().get_run("latest")
    assert run.steps["compare"].output.load() == 4.0
    assert [len(step.attempts) for step in run.steps.values()] == [1] * 5
    assert "summarize has seen 6 numbers" in run.steps["summarize"].log
    assert start(NUMBERS, "run").returncode == 0
    assert set(project.statuses().values()) == {"cached"}


ENTRY = """
    from partita.entrypoints import StepEntrypointConfiguration as Base

    class Queued(Base):
        @classmethod
        def get_entrypoint_options(cls):
            return super().get_entrypoint_options() | {"queue"}

        @classmethod
        def get_entrypoint_arguments(cls, **kwargs):
            return super().get_entrypoint_arguments(**kwargs) + ["--queue", kwargs["queue"]]

        def post_run(self, pipeline_name, step_name):
            with open("post_run", "a") as notes:
                print(pipeline_name, step_name, self.entrypoint_args["queue"], file=notes)
"""


@WAYS
def test_options_and_post_run_of_an_entrypoint_in_python_hold_for_steps_of_a_program(
    project: Project, command: str, way: str
) -> None:
    own = STARTS.replace("StepEntrypointConfiguration.get", "Queued.get")
    own = own.replace(
        "deployment_id=deployment.id", 'deployment_id=deployment.id, queue="long one"'
    )
    use(project, command, way, "    from flavors.entry import Queued" + own)
    project.write("flavors/entry.py", ENTRY)
    done = start(NUMBERS, "run")
    assert done.returncode == 0, done
    steps = ["load", "split", "summarize", "summarize_test", "compare"]
    assert project.lines("post_run") == [f"numbers {step} long one" for step in steps]


@pytest.mark.parametrize("implementation", [DIRECT, LAUNCHER], ids=["direct", "launcher"])
def test_orchestrators_that_an_engine_drives_run_steps_of_a_program(
    project: Project, command: str, implementation: str
) -> None:
    write_flavor(project, implementation)
    use_flavor(project, command, None)
    done = start(NUMBERS, "run")
    assert done.returncode == 0, done
    assert Client().get_run("latest").steps["compare"].output.load() == 4.0
    failed = start(FAILING, "run", "errors")
    assert failed.returncode == 1
    attempts = Client().get_run("latest").steps["returns_an_error"].attempts
    assert [attempt["status"] for attempt in attempts] == ["failed", "failed"]
    assert "invalid digit found in string" in failed.stderr


def test_attempts_that_crash_or_take_too_long_are_recorded_and_made_again(
    project: Project, command: str
) -> None:
    use(project, command, "delegates")
    done = start(FAILING, "run", "late")
    assert done.returncode == 0, done
    step = Client().get_run("latest").steps["late_once"]
    first, second = step.attempts
    assert (first["status"], first["exit_code"], second["status"]) == ("failed", 143, "completed")
    assert "timed out after 0.3s" in first["error"]
    assert step.output.load() == 2


@pytest.mark.parametrize("through", ["python", "program"])
def test_entrypoints_of_a_program_end_a_submitted_run(
    project: Project, command: str, through: str
) -> None:
    use_submitting(project, command)
    done = start(FAILING, "run", "aborting")
    assert done.returncode == 0 and "is submitted to `own`" in done.stderr, done
    assert state(command) == ("submitted", {"works": "waiting", "aborts": "waiting"})
    early = start_job(project, "aborts", through)
    assert early.returncode == 1 and "depends on `works`, which is not committed" in early.stderr
    assert start_job(project, "works", through).returncode == 0
    assert state(command) == ("running", {"works": "completed", "aborts": "waiting"})
    failed = start_job(project, "aborts", through)
    assert failed.returncode == 1 and "its process was ended by SIGABRT" in failed.stderr
    assert state(command) == ("failed", {"works": "completed", "aborts": "failed"})
    again = start_job(project, "works", through)
    assert again.returncode == 0 and "committed already" in again.stderr


@pytest.mark.parametrize("through", ["python", "program"])
def test_an_entrypoint_of_a_program_hands_on_the_signal_that_ends_it(
    project: Project, command: str, through: str
) -> None:
    use_submitting(project, command)
    assert start(FAILING, "run", "waiting").returncode == 0
    words, environment = job(project, "waits_for", through)
    begun = subprocess.Popen(words, env={**os.environ, **environment}, stdout=subprocess.PIPE)
    assert begun.stdout is not None and b"waiting for go" in begun.stdout.readline()
    begun.send_signal(signal.SIGTERM)
    assert begun.wait(PATIENCE) == 128 + signal.SIGTERM
    assert begun.stdout.read() == b""  # The step's process has it, too.
    run = Client().get_run("latest")
    [attempt] = run.steps["waits_for"].attempts
    assert attempt["status"] == "cancelled"
    project.write("go", "")
    assert start_job(project, "waits_for", through).returncode == 0
    assert start_job(project, "leaves_a_thread", through).returncode == 0
    assert state(command)[0] == "completed"


def test_a_program_that_is_gone_is_told_of_by_python(project: Project, command: str) -> None:
    own = project.folder / "numbers"
    use(
        project,
        command,
        "delegates",
        STARTS.replace("made = {}", "made = {}; os.rename('numbers', 'gone')"),
    )
    own.write_bytes(Path(NUMBERS).read_bytes())
    own.chmod(0o755)
    done = start(str(own), "run")
    assert done.returncode == 1
    assert f"`{own}` cannot be started: No such file or directory" in done.stderr


def job(project: Project, step: str, through: str) -> tuple[list[str], dict[str, str]]:
    """Returns the command that the backend starts for a step, and its variables."""
    jobs, environment = json.loads((project.folder / "jobs.json").read_text())
    words: list[str] = jobs[step]
    if through == "program":
        words = [FAILING, "entrypoint", *words[words.index("--entrypoint_config_source") :]]
    return words, environment


def start_job(project: Project, step: str, through: str) -> subprocess.CompletedProcess[str]:
    words, environment = job(project, step, through)
    return start(words[0], *words[1:], env=environment)
