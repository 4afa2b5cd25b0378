"""Runs that an orchestrator hands to something else, and that go on without an engine."""

from __future__ import annotations

import json
import subprocess
import textwrap

import pytest

from conftest import Finished, Project, finish
from custom_flavors import told, use_flavor, write_flavor
from partita import Client
from partita.plugins.opened import MOST_KEPT
from process_stack import partita
from secret_steps import store

#: Writes down what a backend would have to start, and does not wait.
SUBMITS = """
    import json
    import sys
    from pathlib import Path
    from partita.entrypoints import StepEntrypointConfiguration
    from partita.orchestrators import BaseOrchestrator

    class MyOrchestrator(BaseOrchestrator):
        def prepare_or_run_pipeline(self, deployment, stack, environment):
            jobs = {}
            for name, step in deployment.steps.items():
                command = StepEntrypointConfiguration.get_entrypoint_command()
                arguments = StepEntrypointConfiguration.get_entrypoint_arguments(
                    step_name=name, deployment_id=deployment.id
                )
                jobs[name] = [sys.executable, *command[1:], *arguments]
            Path("jobs.json").write_text(json.dumps([jobs, environment]))
            return json.dumps(jobs)
"""

ASYNCHRONOUS = """
        @property
        def is_synchronous(self) -> bool:
            return False
"""

STEPS = """
    def hook(*error):
        with Path("hooks.txt").open("a") as hooks:
            print("hook", *map(repr, error), file=hooks)

    @step(retry=StepRetryConfig(max_retries=1))
    def may_fail(values: list[int]) -> int:
        if Path("die.txt").exists():
            os.kill(os.getppid(), 9)  # Whoever would record that this one ended.
            os.kill(os.getpid(), 9)
        if Path("fail.txt").exists():
            raise ValueError("odd")
        return len(values)

    @step
    def beside() -> int:
        return 1

    @step
    def last(value: int) -> int:
        return value + 1

    @pipeline(on_success=hook, on_failure=hook)
    def going():
        last(may_fail(make(2)))
        beside()
"""


class Backend:
    """What starts the jobs of a run, when a test says so."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def start(self, step: str) -> Finished:
        jobs, environment = json.loads((self.project.folder / "jobs.json").read_text())
        done = subprocess.run(
            jobs[step],
            cwd=self.project.folder,
            env=self.project.environment(**environment),
            capture_output=True,
            text=True,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def submitted(project: Project, command: str) -> Backend:
    """A run that was submitted, and whose backend waits."""
    use(project, command)
    done = project.run("main.py:going")
    assert done.code == 0, done
    assert "is submitted to `own`; `partita runs watch going-" in done.err
    return Backend(project)


def use(project: Project, command: str) -> None:
    write_flavor(project, SUBMITS)
    config = project.folder / "flavors/config.py"
    config.write_text(config.read_text() + textwrap.indent(textwrap.dedent(ASYNCHRONOUS), "    "))
    use_flavor(project, command, None)
    main = project.folder / "main.py"
    main.write_text(main.read_text() + textwrap.dedent(STEPS))


def test_a_submission_that_fails_is_told_like_any_failure(project: Project, command: str) -> None:
    use(project, command)
    implementation = project.folder / "flavors/implementation.py"
    text = implementation.read_text().replace(
        "jobs = {}", 'raise RuntimeError("the queue is full")'
    )
    implementation.write_text(text)
    done = project.run("main.py:going")
    assert done.code == 1, done
    assert "error: the orchestrator `own` failed: RuntimeError: the queue is full" in done.err
    assert "`partita runs resume going-" in done.err


def state(command: str) -> tuple[str, dict[str, str]]:
    """Returns the status of the run and those of its steps, as the command tells them."""
    run = json.loads(partita(command, "runs", "describe", "latest", "--output", "json"))
    [listed] = json.loads(partita(command, "runs", "list", "--output", "json"))
    assert listed["status"] == run["status"]
    return run["status"], {name: step["status"] for name, step in run["steps"].items()}


def test_the_first_entrypoint_turns_a_run_running_and_the_last_one_ends_it(
    submitted: Backend, command: str
) -> None:
    steps = {"make": "waiting", "may_fail": "waiting", "last": "waiting", "beside": "waiting"}
    assert state(command) == ("submitted", steps)
    assert submitted.start("make").code == 0
    assert state(command) == ("running", {**steps, "make": "completed"})
    for step in ("may_fail", "beside", "last"):
        assert not (submitted.project.folder / "hooks.txt").exists()
        done = submitted.start(step)
        assert done.code == 0, done
    assert state(command) == ("completed", dict.fromkeys(steps, "completed"))
    assert submitted.project.lines("hooks.txt") == ["hook"]
    run = Client().get_run("latest")
    assert run.steps["last"].output.load() == 3
    kept = submitted.project.store / "runs" / run.id / "orchestrators/own.representation"
    assert list(json.loads(kept.read_text())) == list(
        json.loads((submitted.project.folder / "jobs.json").read_text())[0]
    )
    watched = told(command, "runs", "watch", "latest")
    assert watched.code == 0 and "last: completed" in watched.err, watched


def test_a_step_that_failed_for_good_ends_the_run(submitted: Backend, command: str) -> None:
    (submitted.project.folder / "fail.txt").write_text("")
    assert submitted.start("make").code == 0
    failed = submitted.start("may_fail")
    assert failed.code == 1 and "is tried again in 0 s" in failed.err, failed
    steps = {"make": "completed", "may_fail": "failed", "last": "skipped", "beside": "skipped"}
    assert state(command) == ("failed", steps)
    assert submitted.project.lines("hooks.txt") == [
        "hook PartitaError('the step `may_fail` failed: ValueError: odd')"
    ]
    late = submitted.start("beside")
    assert late.code == 1 and "step `beside` does not begin: run `going-" in late.err, late
    assert state(command) == ("failed", steps)


def test_an_attempt_that_was_killed_does_not_hold_a_run_open_once_a_later_one_has_failed(
    submitted: Backend, command: str
) -> None:
    folder = submitted.project.folder
    (folder / "die.txt").write_text("")
    assert submitted.start("make").code == 0
    assert submitted.start("may_fail").code == -9
    assert state(command)[0] == "running"
    (folder / "die.txt").unlink()
    (folder / "fail.txt").write_text("")
    failed = submitted.start("may_fail")
    assert failed.code == 1 and "ValueError: odd" in failed.err, failed
    steps = {"make": "completed", "may_fail": "failed", "last": "skipped", "beside": "skipped"}
    assert state(command) == ("failed", steps)
    assert len(submitted.project.lines("hooks.txt")) == 1
    late = submitted.start("beside")
    assert late.code == 1 and "step `beside` does not begin: run `going-" in late.err, late


def test_a_run_that_failed_is_submitted_again_by_a_resumption(
    submitted: Backend, command: str
) -> None:
    project = submitted.project
    (project.folder / "fail.txt").write_text("")
    submitted.start("make")
    submitted.start("may_fail")
    (project.folder / "fail.txt").unlink()
    resumed = project.resume(Client().get_run("latest").id, "main.py:going")
    assert resumed.code == 0 and "is submitted to `own`" in resumed.err, resumed
    assert state(command)[0] in ("submitted", "running")
    assert "is committed already" in submitted.start("make").err
    for step in ("may_fail", "last", "beside"):
        assert submitted.start(step).code == 0
    assert state(command)[0] == "completed"


def test_a_run_that_its_backend_lost_is_taken_back(submitted: Backend, command: str) -> None:
    submitted.start("make")
    for verb in ("resume", "delete"):
        refused = told(command, "runs", verb, "latest")
        assert refused.code == 1, refused
        assert "was submitted, and goes on without an engine" in refused.err, refused
        assert "runs cancel" in refused.err
    taken = told(command, "runs", "cancel", "latest")
    assert taken.code == 0 and "no step of it begins any more" in taken.err, taken
    late = submitted.start("beside")
    assert late.code == 1 and "is cancelled" in late.err, late
    steps = {"make": "completed", **dict.fromkeys(("may_fail", "last", "beside"), "cancelled")}
    assert state(command) == ("cancelled", steps)
    assert told(command, "runs", "cancel", "latest").code == 1
    assert told(command, "runs", "resume", "latest").code == 0
    for step in ("may_fail", "last", "beside"):
        assert submitted.start(step).code == 0
    assert state(command)[0] == "completed"
    assert told(command, "runs", "delete", "latest").code == 0


def test_who_watches_a_run_that_nobody_has_begun_is_told_what_it_waits_for(
    submitted: Backend, command: str
) -> None:
    watch = subprocess.Popen([command, "runs", "watch"], text=True, stderr=subprocess.PIPE)
    assert watch.stderr is not None
    line = watch.stderr.readline()
    assert "is submitted to `own`, which has begun no step yet; waiting for it" in line
    for step in ("make", "may_fail", "last", "beside"):
        assert submitted.start(step).code == 0
    assert finish(watch).code == 0


def test_what_a_submitted_run_needs_is_not_collected(submitted: Backend, command: str) -> None:
    assert submitted.start("make").code == 0
    partita(command, "store", "gc")
    assert submitted.start("may_fail").code == 0


@pytest.mark.parametrize(
    ("returned", "kept", "told"),
    [
        (
            "'\\0' * (20 << 20)",
            "\0" * MOST_KEPT,
            f"has {20 << 20} bytes; the first {MOST_KEPT} are",
        ),
        ("'é' * (2 << 20) + 'ab'", "é" * (1 << 20), f"has {(4 << 20) + 2} bytes; the first"),
        ("'x' + 'é' * (1 << 20)", "x" + "é" * ((1 << 20) - 1), f"has {MOST_KEPT + 1} bytes"),
        ("'odd \\udc80'", "odd \\udc80", ""),
        ("['odd \\udc80']", '[\n  "odd \\udc80"\n]', ""),
        (
            "type('Textless', (), {'__repr__': lambda self: 1 / 0})()",
            "what has no text: Textless",
            "",
        ),
    ],
    ids=["long", "wide", "cut in a character", "surrogate", "surrogate in JSON", "textless"],
)
def test_a_submission_stands_whatever_it_returns(
    project: Project, command: str, returned: str, kept: str, told: str
) -> None:
    use(project, command)
    implementation = project.folder / "flavors/implementation.py"
    text = implementation.read_text().replace("json.dumps(jobs)", returned)
    implementation.write_text(text)
    done = project.run("main.py:going")
    assert done.code == 0 and "is submitted to `own`" in done.err, done
    assert told in done.err
    run = Client().get_run("latest").id
    path = project.store / "runs" / run / "orchestrators/own.representation"
    assert path.read_bytes() == kept.encode()


def test_an_index_is_made_again_with_the_run_submitted(submitted: Backend, command: str) -> None:
    submitted.start("make")
    before = state(command)
    partita(command, "store", "rebuild")
    assert state(command) == before


def test_a_submission_that_fails_fails_the_run(project: Project, command: str) -> None:
    use(project, command)
    implementation = project.folder / "flavors/implementation.py"
    implementation.write_text(
        implementation.read_text().replace("jobs = {}", "raise OSError('full')")
    )
    done = project.run("main.py:going")
    assert done.code == 1 and "OSError: full" in done.err, done
    described = json.loads(partita(command, "runs", "describe", "latest", "--output", "json"))
    assert described["status"] == "failed"
    assert described["error"] == "the orchestrator `own` failed: OSError: full"
    assert [step["attempts"] for step in described["steps"].values()] == [[]] * 4
    assert project.statuses() == dict.fromkeys(described["steps"], "skipped")


@pytest.mark.parametrize("verb", ["run", "plan", "compile"])
def test_a_secret_that_nobody_could_hand_over_is_refused_when_compiled(
    project: Project, command: str, verb: str
) -> None:
    store(command, "s3cr3t-of-a-step")
    use(project, command)
    main = project.folder / "main.py"
    main.write_text(main.read_text().replace("make(2)", 'make("{{hub.token}}")'))
    main.write_text(main.read_text().replace("def make(count: int)", "def make(count: str)"))
    refused = told(command, verb, "main.py:going").refusal
    assert "step `make` takes the secret `{{hub.token}}`" in refused
    assert "orchestrator `own` is done before its steps begin" in refused
    assert Client().list_runs() == []


def test_an_orchestrator_that_submits_may_have_a_secret_of_its_own(
    project: Project, command: str
) -> None:
    store(command, "s3cr3t-of-a-queue")
    use(project, command)
    partita(command, "orchestrator", "update", "own", "--queue={{hub.token}}")
    done = project.run("main.py:going")
    assert done.code == 0 and "is submitted to `own`" in done.err, done


def test_limits_that_nobody_keeps_to_are_refused_when_a_run_is_compiled_that_is_submitted(
    project: Project, command: str
) -> None:
    use(project, command)
    main = project.folder / "main.py"
    main.write_text(
        main.read_text().replace("@step\ndef beside", '@step(limits={"one": 1})\ndef beside')
    )
    refused = told(command, "plan", "main.py:going").refusal
    assert "step `beside` asks for limits, which nobody keeps to" in refused
