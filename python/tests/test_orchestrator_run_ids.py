"""What an orchestrator calls a run is what `runs describe` shows and the run's documents hold."""

from __future__ import annotations

import json

import pytest

from conftest import Project
from custom_flavors import DIRECT, LAUNCHER, use_flavor
from partita import Client
from process_stack import partita
from test_started_entrypoints import STARTS

CALLS = """
        def get_orchestrator_run_id(self):
            return f"flow-{self.config.nodes}"
"""

#: As orchestrators of the earlier system have it: there is an id while a pipeline runs.
MEANWHILE = """
        flow = None

        def get_orchestrator_run_id(self):
            if self.flow is None:
                raise RuntimeError("No run id set.")
            return self.flow
"""
SETS = "self.flow = 'flow-1'\n            for step in"


def described(command: str) -> str:
    return json.loads(partita(command, "runs", "describe", "latest", "--output", "json"))[
        "orchestrator_run_id"
    ]


@pytest.mark.parametrize(
    "implementation",
    [
        DIRECT + CALLS,
        LAUNCHER + CALLS,
        STARTS + CALLS,
        DIRECT.replace("for step in", SETS) + "            self.flow = None\n" + MEANWHILE,
    ],
    ids=["direct", "launcher", "delegated", "direct, meanwhile"],
)
def test_the_id_of_the_orchestrator_is_shown_and_kept(
    project: Project, command: str, implementation: str
) -> None:
    use_flavor(project, command, implementation)
    done = project.run()
    assert done.code == 0, done
    assert described(command) == "flow-1"
    run = Client().get_run("latest")
    header = json.loads((project.store / "runs" / run.id / "run.json").read_text())
    assert header["orchestrator_run_id"] == "flow-1"
    partita(command, "store", "rebuild")
    assert described(command) == "flow-1"


def test_one_that_has_no_id_of_its_own_has_the_run_s(project: Project, command: str) -> None:
    use_flavor(project, command)
    assert project.run().code == 0
    assert described(command) == Client().get_run("latest").id
