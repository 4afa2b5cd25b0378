"""The flavor `my-flavor` by itself; `partita orchestrator flavor test` plays whole runs on it."""

from __future__ import annotations

import sys

import pytest
from flavors.my_flavor import MyFlavorOrchestratorFlavor
from flavors.my_flavor_orchestrator import MyFlavorOrchestrator

from partita.enums import StackComponentType
from partita.orchestrators import Attempt, JobReport, Resources

ATTEMPT = Attempt({"id": "run/0/1", "run_id": "run", "step": "train", "number": 1}, {})


def orchestrator(nice: int = 0) -> MyFlavorOrchestrator:
    """Returns an orchestrator as a run makes it."""
    flavor = MyFlavorOrchestratorFlavor()
    assert flavor.implementation_class is MyFlavorOrchestrator
    return MyFlavorOrchestrator(
        name="here",
        type=StackComponentType.ORCHESTRATOR,
        flavor=flavor.name,
        config=flavor.config_class(nice=nice),
    )


def run(code: str) -> JobReport:
    """Runs Python code as a step would be, and returns how it ended."""
    here = orchestrator()
    command = [sys.executable, "-c", code]
    return here.wait(here.launch(ATTEMPT, command, {"TOLD": "1"}, Resources({})))


@pytest.mark.parametrize(
    ("code", "status", "exit_code"),
    [
        ("import os; assert os.environ['TOLD']", "completed", 0),
        ("raise SystemExit(3)", "failed", 3),
    ],
)
def test_a_job_ends_as_its_command_does(code: str, status: str, exit_code: int) -> None:
    report = run(code)
    assert (report.status, report.exit_code) == (status, exit_code)


def test_a_cancelled_job_ends() -> None:
    here = orchestrator()
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    job = here.launch(ATTEMPT, command, {}, Resources({}))
    assert here.poll(job).status == "active"
    here.cancel(job)
    assert here.wait(job).status == "failed"


def test_a_wrong_configuration_is_refused() -> None:
    with pytest.raises(ValueError, match="it is 20, and must be from 0 to 19"):
        orchestrator(nice=20)
