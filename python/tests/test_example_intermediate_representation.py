"""The example that compiles pipelines into Makefiles runs them, and passes the conformance suite."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import Project
from partita import Client
from process_stack import partita

EXAMPLE = Path(__file__).parents[2] / "examples/custom_orchestrator_intermediate_representation"
SOURCE = "flavors.make.MakeOrchestratorFlavor"

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="the example needs `make`")


@pytest.fixture
def example(project: Project, command: str) -> Project:
    """A copy of the example, with its flavor registered."""
    for file in EXAMPLE.rglob("*.py"):
        project.write(str(file.relative_to(EXAMPLE)), file.read_text())
    partita(command, "init")
    partita(command, "orchestrator", "flavor", "register", SOURCE)
    partita(command, "orchestrator", "register", "make", "--flavor=make", "--jobs=2")
    partita(command, "stack", "register", "make", "-o", "make", "-a", "default", "--set")
    return project


def test_a_makefile_runs_the_pipeline_and_is_kept(example: Project) -> None:
    done = example.run("train.py")
    assert done.code == 0 and "share | 4 of 10" in done.err, done
    run = Client().get_run("latest")
    assert run.steps["share"].output.load() == 0.4
    kept = example.store / "runs" / run.id / "orchestrators/make.representation"
    rules = [line for line in kept.read_text().splitlines() if line.startswith("step-")]
    assert rules == ["step-0: ", "step-1: step-0", "step-2: step-0", "step-3: step-1 step-2"]


def test_a_step_that_fails_is_told_by_its_record(example: Project, command: str) -> None:
    main = example.folder / "train.py"
    main.write_text(main.read_text().replace("return max(values)", "raise ValueError('empty')"))
    done = example.run("train.py")
    assert done.code == 1 and "step `largest` failed: ValueError: empty" in done.err, done
    statuses = example.statuses()
    assert (statuses["largest"], statuses["share"]) == ("failed", "skipped")


def test_it_passes_the_conformance_suite(example: Project, command: str) -> None:
    words = [command, "orchestrator", "flavor", "test", SOURCE, "--output", "json"]
    done = subprocess.run(
        words, cwd=example.folder, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    verdicts = json.loads(done.stdout)
    passed = {found["scenario"] for found in verdicts if found["verdict"] == "pass"}
    assert len(passed) >= 60
    # What only an engine that drives keeps, or a flavor that claims it, is refused.
    assert not passed & {
        "named-limits-are-kept",
        "memory-is-limited-or-refused",
        "a-gpu-is-seen-or-refused",
    }
