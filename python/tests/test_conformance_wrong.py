"""The conformance suite catches orchestrators that are wrong, and lets a right one pass."""

from __future__ import annotations

import json
import subprocess

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

#: What is played: enough for each of them to be caught, and one that is right to pass.
SCENARIOS = (
    "a-step-runs-after-what-it-needs",
    "what-a-step-changes-is-not-seen-by-the-next",
    "an-exit-code-is-told",
    "a-failure-fails-the-run-and-nothing-after-it-runs",
    "parameters-arrive-as-they-are",
)


def verdicts(project: Project, command: str, implementation: str) -> dict[str, str]:
    """Plays the scenarios on an orchestrator; returns what came of each."""
    write_flavor(project, implementation)
    played = [f"--scenario={name}" for name in SCENARIOS]
    words = ["flavor", "test", SOURCE, "--queue=a", "--output=json", *played]
    done = subprocess.run(
        [command, "orchestrator", *words],
        cwd=project.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    found = {verdict["scenario"]: verdict["verdict"] for verdict in json.loads(done.stdout)}
    assert list(found) == list(SCENARIOS)
    assert done.returncode == ("fail" in found.values()), done
    return found


def test_a_launcher_that_is_right_passes(project: Project, command: str) -> None:
    assert set(verdicts(project, command, LAUNCHER).values()) == {"pass"}


@pytest.mark.parametrize(
    ("implementation", "caught"),
    [
        (WRONG_ORDER, "a-step-runs-after-what-it-needs"),
        (SWALLOWS_FAILURES, "an-exit-code-is-told"),
        (LEAKS_ENVIRONMENT, "what-a-step-changes-is-not-seen-by-the-next"),
    ],
    ids=["wrong order", "swallows failures", "leaks environment"],
)
def test_an_orchestrator_that_is_wrong_is_caught(
    project: Project, command: str, implementation: str, caught: str
) -> None:
    assert verdicts(project, command, implementation)[caught] == "fail"
