"""Orchestrators in Python: direct ones, launchers, and such that start entrypoints by themselves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import textwrap
import time

import pytest

from conftest import PATIENCE, Project, finish, interrupt
from custom_flavors import DIRECT, LAUNCHER, told, use_flavor, write_flavor
from partita import Client
from process_stack import partita

STARTS_ENTRYPOINTS = """
    import subprocess
    import sys
    from partita.entrypoints import StepEntrypointConfiguration
    from partita.orchestrators import BaseOrchestrator

    class MyOrchestrator(BaseOrchestrator):
        def prepare_or_run_pipeline(self, deployment, stack, environment):
            for name, step in deployment.steps.items():
                command = StepEntrypointConfiguration.get_entrypoint_command()
                arguments = StepEntrypointConfiguration.get_entrypoint_arguments(
                    artifact_store=stack.artifact_store_uri,
                    deployment_id=deployment.id,
                    run_id=self.get_orchestrator_run_id(),
                    step_name=name,
                )
                subprocess.run([sys.executable, *command[1:], *arguments], check=True)
"""

WAITS = (
    LAUNCHER
    + """
        def wait(self, job_id):
            code = self.jobs[job_id].wait()
            return JobReport("completed" if code == 0 else "failed", exit_code=code)
"""
)


@pytest.mark.parametrize(
    "implementation", [DIRECT, LAUNCHER, WAITS], ids=["direct", "polled", "waits"]
)
def test_a_pipeline_runs_and_is_cached(project: Project, command: str, implementation: str) -> None:
    use_flavor(project, command, implementation)
    done = project.run()
    assert done.code == 0, done
    run = Client().get_run("latest")
    assert run.steps["add"].outputs["output"].load() == 12
    assert set(project.statuses().values()) == {"completed"}
    assert "adding" in run.steps["add"].log
    processes = {line.split()[1] for line in project.lines()}
    assert len(processes) == (1 if implementation == DIRECT else 2)
    assert project.run().code == 0
    assert set(project.statuses().values()) == {"cached"}
    assert len(project.lines()) == 2


def test_entrypoints_that_an_orchestrator_starts_by_itself_count(
    project: Project, command: str
) -> None:
    use_flavor(project, command, STARTS_ENTRYPOINTS)
    main = project.folder / "main.py"
    main.write_text(main.read_text().replace("double.map(make(count))", "make(count)"))
    done = project.run()
    assert done.code == 0, done
    assert project.statuses() == {"make": "completed", "add": "completed"}


FAILING = """
    @step(retry=StepRetryConfig(max_retries=1))
    def fails(values: list[int]) -> int:
        with Path("tries.txt").open("a") as tries:
            print("try", file=tries)
        raise ValueError("odd")

    @step
    def beside() -> int:
        return 1

    @pipeline(failure_mode="MODE")
    def failing():
        add([fails(make(2))])
        beside()
"""


@pytest.mark.parametrize("implementation", [DIRECT, LAUNCHER], ids=["direct", "launcher"])
@pytest.mark.parametrize("mode", ["fail_fast", "continue_on_failure"])
def test_a_step_that_fails_is_retried_and_fails_the_run_as_the_mode_says(
    project: Project, command: str, implementation: str, mode: str
) -> None:
    use_flavor(project, command, implementation)
    main = project.folder / "main.py"
    main.write_text(main.read_text() + textwrap.dedent(FAILING.replace("MODE", mode)))
    done = project.run("main.py:failing")
    assert done.code == 1 and "ValueError: odd" in done.err, done
    assert "bug in Partita" not in done.err
    assert project.lines("tries.txt") == ["try", "try"]
    statuses = project.statuses()
    assert statuses["fails"] == "failed"
    if mode == "continue_on_failure":
        assert (statuses["add"], statuses["beside"]) == ("skipped", "completed")
    assert Client().get_run("latest").status == "failed"


@pytest.mark.parametrize(
    ("implementation", "part"),
    [
        (DIRECT.replace("self.run_step(step)", "pass"), "did not run the step"),
        (DIRECT.replace("deployment.steps.values()", "reversed(deployment.steps.values())"), "depends on"),
        (DIRECT.replace("self.run_step(step)", "raise KeyError('lost')"), "KeyError: 'lost'"),
        (DIRECT.replace("self.run_step(step)", "import os; os._exit(7)"), "ended with exit code 7"),
        (DIRECT.replace("prepare_or_run_pipeline", "prepare"), "implements neither"),
        (LAUNCHER.replace("return attempt.id", "return 5"), "must return the job's id"),
        (LAUNCHER.replace("return JobStatus.ACTIVE", "return 'dreaming'"), "`MyOrchestrator.poll` returned `'dreaming'`, and must return"),
        (LAUNCHER.replace("return JobStatus.ACTIVE", "return JobReport('active', message=5)"), "poll` returned `JobReport('active', exit_code=None, message=5)`"),
        (LAUNCHER + "        def wait(self, job_id): pass\n", "cannot be waited for: `MyOrchestrator.wait` returned `None`"),
        (LAUNCHER + "        def wait(self, job_id): raise OSError('gone')\n", "cannot be waited for: OSError: gone"),
        ("MyOrchestrator = 5", "no subclass of `BaseOrchestrator`"),
        (
            DIRECT
            + """
        @property
        def validator(self):
            from partita.stack import StackValidator
            return StackValidator(custom_validation_function=lambda stack: (False, "it is too small"))
    """,
            "cannot be used here: it is too small",
        ),
    ],
)  # fmt: skip
def test_an_orchestrator_that_is_wrong_fails_the_run_in_one_paragraph(
    project: Project, command: str, implementation: str, part: str
) -> None:
    use_flavor(project, command, implementation)
    done = project.run()
    assert done.code == 1 and part in done.err, done
    assert "bug in Partita" not in done.err
    assert Client().get_run("latest").status == "failed"


WAITING = """
    import time

    @step
    def waits():
        Path("pid.txt").write_text(str(os.getpid()))
        while not Path("go.txt").exists():
            time.sleep(0.01)

    @pipeline
    def waiting():
        waits()
"""


def begin_waiting(
    project: Project, command: str, implementation: str | None
) -> tuple[subprocess.Popen[str], int]:
    use_flavor(project, command, implementation)
    main = project.folder / "main.py"
    main.write_text(main.read_text() + textwrap.dedent(WAITING))
    run = project.begin("-m", "partita", "run", json.dumps({"target": "main.py:waiting"}))
    pid, end = project.folder / "pid.txt", time.monotonic() + PATIENCE
    while not pid.exists() or not pid.read_text():
        assert time.monotonic() < end and run.poll() is None, finish(run)
        os.sched_yield()
    return run, int(pid.read_text())


@pytest.mark.parametrize("implementation", [DIRECT, LAUNCHER], ids=["direct", "launcher"])
def test_ctrl_c_cancels_what_runs(project: Project, command: str, implementation: str) -> None:
    run, _ = begin_waiting(project, command, implementation)
    done = interrupt(run)
    assert done.code == 130, done
    assert Client().get_run("latest").status == "cancelled"
    assert project.statuses() == {"waits": "cancelled"}


#: Ways not to cancel a job.
CANCELS_NOTHING = {
    "does nothing": "pass",
    "raises": "raise RuntimeError('there is no such job')",
    "hangs": "import threading; threading.Event().wait()",
}


def begin_uncancellable(
    project: Project, command: str, cancel: str, grace: float
) -> subprocess.Popen[str]:
    implementation = LAUNCHER.replace("self.jobs[job_id].terminate()", cancel)
    write_flavor(project, implementation)
    flavor = project.folder / "flavors/my_flavor.py"
    flavor.write_text(flavor.read_text().replace("Supply(", f"Supply(grace={grace}, "))
    return begin_waiting(project, command, None)[0]


@pytest.mark.parametrize("cancel", CANCELS_NOTHING.values(), ids=CANCELS_NOTHING)
def test_a_run_whose_orchestrator_does_not_cancel_ends_within_the_grace_of_its_flavor(
    project: Project, command: str, cancel: str
) -> None:
    run = begin_uncancellable(project, command, cancel, grace=0.1)
    began = time.monotonic()
    done = interrupt(run)
    assert time.monotonic() - began < 30, done  # What is given to steps that nothing can end.
    assert done.code == 130, done
    assert "of step `waits` end; see whether it still runs" in done.err, done
    assert Client().get_run("latest").status == "cancelled"
    assert project.statuses() == {"waits": "cancelled"}


@pytest.mark.parametrize("cancel", CANCELS_NOTHING.values(), ids=CANCELS_NOTHING)
def test_a_second_ctrl_c_ends_a_run_at_once_whatever_its_orchestrator_does(
    project: Project, command: str, cancel: str
) -> None:
    run = begin_uncancellable(project, command, cancel, grace=3600)
    run.send_signal(signal.SIGINT)
    assert run.stderr is not None
    while "cancelling" not in run.stderr.readline():
        assert run.poll() is None
    done = interrupt(run)
    assert done.code == 130, done
    assert Client().get_run("latest").status == "cancelled"
    assert project.statuses() == {"waits": "cancelled"}


def test_a_run_that_completes_in_spite_of_ctrl_c_has_done_what_it_was_asked(
    project: Project, command: str
) -> None:
    run = begin_uncancellable(project, command, "open('go.txt', 'w').close()", grace=3600)
    done = interrupt(run)
    assert (done.code, Client().get_run("latest").status) == (0, "completed"), done


def test_runs_cancel_does_not_claim_a_run_that_completes_meanwhile(
    project: Project, command: str
) -> None:
    run = begin_uncancellable(project, command, "open('go.txt', 'w').close()", grace=3600)
    asked = told(command, "runs", "cancel", "latest")
    assert asked.code == 1 and "completed before it could be cancelled" in asked.err, asked
    done = finish(run)
    assert (done.code, Client().get_run("latest").status) == (0, "completed"), done


def test_runs_cancel_ends_a_run_whose_orchestrator_does_not_cancel(
    project: Project, command: str
) -> None:
    run = begin_uncancellable(project, command, "pass", grace=0.1)
    asked = told(command, "runs", "cancel", "latest")
    assert asked.code == 0 and asked.err.endswith("is cancelled\n"), asked
    assert finish(run).code == 130


@pytest.mark.parametrize("implementation", [DIRECT, LAUNCHER], ids=["direct", "launcher"])
def test_a_run_whose_engine_is_killed_is_resumed(
    project: Project, command: str, implementation: str
) -> None:
    run, _ = begin_waiting(project, command, implementation)
    run.kill()
    finish(run)
    assert Client().get_run("latest").status == "interrupted"
    (project.folder / "go.txt").write_text("")
    done = project.resume(Client().get_run("latest").id, "main.py:waiting")
    assert done.code == 0, done
    assert project.statuses() == {"waits": "completed"}


def test_a_step_that_kills_a_direct_orchestrator_fails_and_the_run_with_it(
    project: Project, command: str
) -> None:
    run, pid = begin_waiting(project, command, DIRECT)
    os.kill(pid, signal.SIGKILL)
    done = finish(run)
    assert done.code == 1 and "was ended by SIGKILL" in done.err, done
    assert Client().get_run("latest").status == "failed"


SETTINGS = """
    @step(settings={"orchestrator": MySettings(partition="long")})
    def tuned() -> int:
        return 1

    @pipeline(settings={"orchestrator.mine": {"priority": 3}, "orchestrator": {"partition": "any"}})
    def settled():
        tuned()
"""

SETTINGS_CLASS = """
    from partita.config import BaseSettings

    class MySettings(BaseSettings):
        partition: str = "short"
        priority: int = 0
"""


@pytest.mark.parametrize(
    ("implementation", "of"), [(DIRECT, "step"), (LAUNCHER, "attempt")], ids=["direct", "launcher"]
)
def test_settings_of_a_flavor_reach_the_orchestrator(
    project: Project, command: str, implementation: str, of: str
) -> None:
    note = f"open('settings.txt', 'w').write(repr(self.get_settings({of})))"
    for line in ("self.run_step(step)", "process = subprocess.Popen"):
        implementation = implementation.replace(line, f"{note}; {line}")
    write_flavor(project, implementation)
    flavor = project.folder / "flavors/my_flavor.py"
    settings = textwrap.indent(
        textwrap.dedent("""
        @property
        def settings_class(self):
            from flavors.settings import MySettings
            return MySettings
        """),
        "    ",
    )
    flavor.write_text(flavor.read_text() + settings)
    project.write("flavors/settings.py", SETTINGS_CLASS)
    use_flavor(project, command, None)
    described = partita(command, "orchestrator", "flavor", "describe", "mine")
    assert "partition" in described and "priority" in described
    main = project.folder / "main.py"
    imports = "from flavors.settings import MySettings\n"
    main.write_text(imports + main.read_text() + textwrap.dedent(SETTINGS))
    done = project.run("main.py:settled")
    assert done.code == 0, done
    assert project.lines("settings.txt") == ["MySettings(partition='long', priority=3)"]
    main.write_text(main.read_text().replace('"priority": 3', '"priorty": 3'))
    refused = project.run("main.py:settled").refusal
    assert "`priorty` is no setting of orchestrator `own` (flavor `mine`)" in refused
    assert "did you mean `priority`?" in refused


def test_a_direct_orchestrator_may_run_one_step_of_a_pipeline(
    project: Project, command: str
) -> None:
    use_flavor(project, command)
    partita(command, "orchestrator", "register", "here", "--flavor=local")
    partita(
        command, "stack", "register", "two", "-o", "here", "-o", "own", "-a", "default", "--set"
    )
    main = project.folder / "main.py"
    main.write_text(
        main.read_text().replace("@step\ndef add", '@step(orchestrator="own")\ndef add')
    )
    done = project.run()
    assert done.code == 0, done
    made, added = (line.split()[1] for line in project.lines())
    assert made != added


UNREACHABLE_ONCE = LAUNCHER.replace(
    "            code = self.jobs[job_id].poll()\n",
    """            if not getattr(self, "asked", False):
                self.asked = True
                raise ERROR("the queue is away")
            code = self.jobs[job_id].poll()
""",
).replace(
    "self.jobs[job_id].terminate()", "print('cancelled', job_id); self.jobs[job_id].terminate()"
)


def test_a_backend_that_cannot_be_reached_is_asked_again(project: Project, command: str) -> None:
    use_flavor(project, command, UNREACHABLE_ONCE.replace("ERROR", "ConnectionError"))
    done = project.run()
    assert done.code == 0, done
    assert "cancelled" not in done.err


def test_a_job_of_which_nothing_can_be_said_is_cancelled(project: Project, command: str) -> None:
    use_flavor(project, command, UNREACHABLE_ONCE.replace("ERROR", "RuntimeError"))
    main = project.folder / "main.py"
    slow = "def make(count: int) -> list[int]:\n    import time; time.sleep(PATIENCE)\n"
    slow = slow.replace("PATIENCE", str(PATIENCE))
    text = main.read_text()
    main.write_text(text.replace("def make(count: int) -> list[int]:\n", slow))
    assert slow in main.read_text()
    done = project.run()
    assert done.code == 1, done
    assert "RuntimeError: the queue is away" in done.err
    assert "own | cancelled" in done.err
