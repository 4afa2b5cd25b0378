"""The conformance suite catches orchestrators that are wrong, and lets a right one pass."""

from __future__ import annotations

import json
import subprocess
import textwrap
from typing import Any

import pytest

from conftest import Project
from custom_flavors import LAUNCHER, SOURCE, write_flavor

WRONG_ORDER = """
    from partita.orchestrators import BaseOrchestrator

    class MyOrchestrator(BaseOrchestrator):
        def prepare_or_run_pipeline(self, deployment, stack, environment):
            for step in reversed(deployment.steps.values()):
                self.run_step(step)
"""

DIES = """
    import os
    from partita.orchestrators import BaseOrchestrator

    class MyOrchestrator(BaseOrchestrator):
        def prepare_or_run_pipeline(self, deployment, stack, environment):
            os._exit(3)
"""

SWALLOWS_FAILURES = LAUNCHER.replace(
    '"completed" if code == 0 else "failed"', '"completed"'
).replace("exit_code=code", "exit_code=0")

#: Steps have processes of their own, and each begins with the environment that one before has left.
LEAKS_ENVIRONMENT = (
    LAUNCHER.replace(
        "process = subprocess.Popen(command, env={**os.environ, **environment})",
        "process = subprocess.Popen(self.leaky(command), env={**os.environ, **environment})",
    )
    + """
        def leaky(self, command):
            keep = os.path.abspath(f"leak-{os.getpid()}.json")
            code = (
                "import json, os, runpy, sys\\n"
                f"left = json.load(open({keep!r})) if os.path.exists({keep!r}) else {{}}\\n"
                "os.environ.update(left)\\n"
                "import atexit\\n"
                f"atexit.register(lambda: json.dump(dict(os.environ), open({keep!r}, 'w')))\\n"
                "sys.argv = sys.argv[1:]\\n"
                "runpy.run_module(sys.argv[0], run_name='__main__')\\n"
            )
            return [command[0], "-c", code, *command[2:]]
"""
)

#: Whoever starts a job starts another one.
SUBMITS_TWICE = LAUNCHER.replace(
    "            self.jobs[attempt.id] = process\n",
    "            self.jobs[attempt.id] = process\n"
    "            subprocess.Popen(command, env={**os.environ, **environment})\n",
)

#: What is said of a job is what was said of the step's first one.
REPEATS_A_STALE_STATUS = LAUNCHER.replace(
    "            code = self.jobs[job_id].poll()\n",
    "            step = job_id.rpartition('/')[0]\n"
    "            code = vars(self).setdefault('codes', {}).get(step, self.jobs[job_id].poll())\n"
    "            if code is not None:\n"
    "                self.codes[step] = code\n",
)

#: Once a job was asked for, it is forgotten how it ended.
FORGETS_ENDS = LAUNCHER.replace(
    "            code = self.jobs[job_id].poll()\n",
    "            code = self.jobs[job_id].poll() if job_id in self.jobs else None\n"
    "            if code is not None:\n"
    "                del self.jobs[job_id]\n",
)

#: Its jobs live longer than itself, and it says of none that it is there.
FINDS_NOTHING = (
    LAUNCHER.replace("**environment})", "**environment}, start_new_session=True)")
    + """
        def find(self, attempt_id):
            return None
"""
)

#: It finds a job that is not there, and waits for it.
FINDS_ANYTHING = FINDS_NOTHING.replace("return None", "return 'a job'").replace(
    "code = self.jobs[job_id].poll()",
    "code = self.jobs[job_id].poll() if job_id in self.jobs else None",
)

#: What is asked to end goes on.
CANCELS_NOTHING = LAUNCHER.replace("self.jobs[job_id].terminate()", "return")

#: What is asked to end once more is ended.
ENDS_DEAF_ONES = LAUNCHER.replace(
    "self.jobs[job_id].terminate()",
    "self.jobs[job_id].send_signal(vars(self).setdefault('next', 15))\n            self.next = 9",
)

#: Jobs are asked to end, and nobody is told that they did.
HIDES_CANCELLED = LAUNCHER.replace(
    "            code = self.jobs[job_id].poll()\n",
    "            cancelled = vars(self).setdefault('cancelled', set())\n"
    "            code = None if job_id in cancelled else self.jobs[job_id].poll()\n",
).replace(
    "self.jobs[job_id].terminate()",
    "vars(self).setdefault('cancelled', set()).add(job_id)\n"
    "            self.jobs[job_id].terminate()",
)

#: Steps are started with a configuration of its own.
ENTERS = LAUNCHER.replace(
    "            process = subprocess",
    "            command = [word.replace('partita.entrypoints.StepEntry', 'flavors.entry.StepEntry')"
    " for word in command] + OPTIONS\n"
    "            process = subprocess",
)

WITH_OPTIONS = ENTERS.replace("OPTIONS", "['--queue', 'a']")

ENTRY = """
    from partita import _native
    from partita.entrypoints import StepEntrypointConfiguration as Base
    from partita.entrypoints.attempt import Attempt, Terms

    class StepEntrypointConfiguration(Base):
        @classmethod
        def get_entrypoint_options(cls):
            return super().get_entrypoint_options() | {"queue"}

        def post_run(self, pipeline_name, step_name):
            print("done with", step_name, "in the queue", self.entrypoint_args["queue"])
"""

#: `run` is written anew, and ends with the step.
IGNORES_POST_RUN = (
    ENTRY
    + """
        def run(self):
            given, terms = self.entrypoint_args, Terms.from_environment()
            run = _native.RunEntry(
                given["artifact_store"], given["deployment_id"], given["run_id"]
            )
            entry = run.step_named(given["step_name"], None)
            Attempt(entry, int(given["attempt"]), terms).make()
"""
)

SETTINGS = """
    from partita.config import BaseSettings

    class MySettings(BaseSettings):
        partition: str = "short"
        nodes: int = 1
"""

#: What is misspelt is taken as well.
TAKES_ANY_SETTINGS = (
    SETTINGS
    + """
        model_config = {"extra": "allow"}
"""
)

SETTINGS_CLASS = """
        @property
        def settings_class(self):
            from flavors.settings import MySettings
            return MySettings
"""

READS_SETTINGS = LAUNCHER.replace(
    "            process = subprocess",
    "            print('on', self.get_settings(attempt).nodes, 'nodes')\n"
    "            process = subprocess",
)


def verdicts(project: Project, command: str, *scenarios: str) -> dict[str, str]:
    """Plays scenarios on the flavor; returns what came of each."""
    found = played(project, command, *scenarios)
    return {verdict["scenario"]: verdict["verdict"] for verdict in found}


def played(project: Project, command: str, *scenarios: str) -> list[dict[str, Any]]:
    """Plays scenarios on the flavor; returns what is said of each."""
    chosen = [f"--scenario={name}" for name in scenarios]
    words = ["flavor", "test", SOURCE, "--queue=a", "--output=json", *chosen]
    done = subprocess.run(
        [command, "orchestrator", *words],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert {verdict["scenario"] for verdict in found} == set(scenarios)
    assert done.returncode == any(verdict["verdict"] == "fail" for verdict in found), done
    return found


ORDER = "a-step-runs-after-what-it-needs"
LEAK = "what-a-step-changes-is-not-seen-by-the-next"
EXIT_CODE = "an-exit-code-is-told"
ONCE = "a-step-is-called-once-for-each-attempt"
RETRIED = "an-attempt-that-fails-is-made-again"
ENDED = "questions-about-a-job-that-has-ended-are-answered"
LOST = "a-job-whose-launch-was-never-answered-is-not-run-twice-in-silence"
FOUND = "a-job-that-outlives-the-engine-is-found-again"
TIMEOUT = "a-timeout-ends-a-step"
CONTROL_C = "control-c-cancels-the-run-and-its-steps"
DEAF = "steps-end-with-a-cancelled-run-that-is-deaf"
ELSEWHERE = "a-run-is-cancelled-from-elsewhere"
DIES_CANCELLING = "a-plugin-that-dies-when-it-cancels-leaves-nothing-running"


def test_a_launcher_that_is_right_passes(project: Project, command: str) -> None:
    write_flavor(project, LAUNCHER)
    seen = verdicts(project, command, ORDER, LEAK, EXIT_CODE, ONCE, RETRIED, ENDED, LOST)
    assert set(seen.values()) == {"pass"}


@pytest.mark.parametrize(
    ("implementation", "caught"),
    [
        (WRONG_ORDER, ORDER),
        (DIES, EXIT_CODE),
        (SWALLOWS_FAILURES, EXIT_CODE),
        (LEAKS_ENVIRONMENT, LEAK),
        (SUBMITS_TWICE, ONCE),
        (REPEATS_A_STALE_STATUS, RETRIED),
        (FORGETS_ENDS, ENDED),
        (FINDS_NOTHING, LOST),
        (FINDS_NOTHING, FOUND),
    ],
    ids=lambda value: value if "-" in value and " " not in value else "",
)
def test_an_orchestrator_that_is_wrong_is_caught(
    project: Project, command: str, implementation: str, caught: str
) -> None:
    write_flavor(project, implementation)
    assert verdicts(project, command, caught) == {caught: "fail"}


def test_a_job_that_was_never_launched_is_not_waited_for(project: Project, command: str) -> None:
    write_flavor(project, FINDS_ANYTHING)
    flavor = project.folder / "flavors/my_flavor.py"
    flavor.write_text(flavor.read_text().replace("Supply(", "Supply(grace=1, "))
    found = played(project, command, LOST, FOUND)
    assert {verdict["verdict"] for verdict in found} == {"fail"}
    for verdict in found:
        assert "`find` to return a job that `launch` has returned" in json.dumps(verdict)


@pytest.mark.parametrize(
    ("implementation", "seen"),
    [(LAUNCHER, "pass"), (CANCELS_NOTHING, "fail"), (HIDES_CANCELLED, "fail")],
    ids=["right", "cancels nothing", "hides the end"],
)
def test_a_cancelled_step_has_to_end_and_its_end_to_be_told(
    project: Project, command: str, implementation: str, seen: str
) -> None:
    write_flavor(project, implementation)
    cancelled = (TIMEOUT, CONTROL_C, ELSEWHERE)
    assert verdicts(project, command, *cancelled) == dict.fromkeys(cancelled, seen)


def test_a_step_that_is_deaf_has_to_be_ended_by_the_second_cancel(
    project: Project, command: str
) -> None:
    write_flavor(project, LAUNCHER)
    flavor = project.folder / "flavors/my_flavor.py"
    flavor.write_text(flavor.read_text().replace("Supply(", "Supply(grace=1, "))
    assert verdicts(project, command, DEAF) == {DEAF: "fail"}
    write_flavor(project, ENDS_DEAF_ONES)
    flavor.write_text(flavor.read_text().replace("Supply(", "Supply(grace=1, "))
    assert verdicts(project, command, DEAF) == {DEAF: "pass"}


def test_a_step_that_lives_on_is_seen(project: Project, command: str) -> None:
    write_flavor(
        project,
        CANCELS_NOTHING.replace("**environment})", "**environment}, start_new_session=True)"),
    )
    live_on = (DEAF, DIES_CANCELLING)
    assert verdicts(project, command, *live_on) == dict.fromkeys(live_on, "fail")


@pytest.mark.parametrize(
    ("implementation", "entry", "seen"),
    [
        (WITH_OPTIONS, ENTRY, "pass"),
        (WITH_OPTIONS, IGNORES_POST_RUN, "fail"),
        (LAUNCHER, ENTRY, "not_claimed"),
    ],
    ids=["right", "ignores post_run", "has none"],
)
def test_an_entrypoint_of_its_own_is_seen_to(
    project: Project, command: str, implementation: str, entry: str, seen: str
) -> None:
    write_flavor(project, implementation)
    project.write("flavors/entry.py", entry)
    options, post_run = "options-of-its-entrypoint-have-values", "post-run-is-called-after-the-step"
    found = verdicts(project, command, options, post_run)
    assert found == {options: seen.replace("fail", "pass"), post_run: seen}


@pytest.mark.parametrize(
    ("implementation", "settings", "failed"),
    [
        (READS_SETTINGS, SETTINGS, set[str]()),
        (LAUNCHER, SETTINGS, {"settings-are-read"}),
        (READS_SETTINGS, TAKES_ANY_SETTINGS, {"settings-outside-of-the-schema-are-refused"}),
    ],
    ids=["right", "forgets settings", "takes any settings"],
)
def test_settings_are_seen_to(
    project: Project, command: str, implementation: str, settings: str, failed: set[str]
) -> None:
    write_flavor(project, implementation)
    project.write("flavors/settings.py", settings)
    flavor = project.folder / "flavors/my_flavor.py"
    method = textwrap.indent(textwrap.dedent(SETTINGS_CLASS), "    ")
    flavor.write_text(flavor.read_text() + method)
    found = verdicts(
        project,
        command,
        "settings-of-a-step-come-before-those-of-the-pipeline",
        "settings-are-read",
        "settings-outside-of-the-schema-are-refused",
    )
    assert {name for name, verdict in found.items() if verdict != "pass"} == failed
