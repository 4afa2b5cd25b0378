"""Runs the digits example the way a user does, with the command, in a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BRANCHES = ("regression", "support_vectors", "forest")

Partita = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns an empty home, shared by the tests of this file."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def partita(home: Path) -> Partita:
    """Returns a function that runs the command in that home and expects success."""
    return command_in(home)


def command_in(home: Path) -> Partita:
    """Returns a function that runs the command in a home and expects success."""
    command = Path(sys.executable).with_name("partita")
    environment = {**os.environ, "PARTITA_HOME": str(home), "NO_COLOR": "1"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [command, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done

    return run


def described(partita: Partita) -> dict[str, Any]:
    """Returns the latest run, as scripts read it."""
    return json.loads(partita("runs", "describe", "latest", "--output", "json").stdout)


@pytest.fixture(scope="module")
def first_run(partita: Partita) -> dict[str, Any]:
    """Runs the example once and returns what is recorded of it."""
    partita("run", "examples/digits/pipeline.py")
    return described(partita)


def test_every_step_runs_once_in_the_first_run(first_run: dict[str, Any]) -> None:
    expected = {"load", "split", "choose_best", "report"}
    expected |= {f"{verb}_{branch}" for verb in ("train", "evaluate") for branch in BRANCHES}

    assert first_run["status"] == "completed"
    assert {name: step["status"] for name, step in first_run["steps"].items()} == dict.fromkeys(
        expected, "completed"
    )


def test_each_model_has_a_branch_of_its_own(first_run: dict[str, Any]) -> None:
    upstream = {name: set(step["upstream"]) for name, step in first_run["steps"].items()}
    for branch in BRANCHES:
        assert upstream[f"train_{branch}"] == {"split"}
        assert upstream[f"evaluate_{branch}"] == {f"train_{branch}", "split"}


def test_the_chosen_model_reads_more_than_95_of_100_digits(
    first_run: dict[str, Any], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTITA_HOME", str(home))
    check_accuracy(first_run)


def check_accuracy(described_run: dict[str, Any]) -> None:
    """Checks that the best of the three models was chosen, and is a good one."""
    from partita import Client

    run = Client().get_run(described_run["id"])
    accuracies = run.steps["choose_best"].outputs["accuracies"].load()
    summary = run.steps["report"].outputs["summary"].load()

    assert len(accuracies) == len(BRANCHES)
    assert summary["accuracy"] == max(accuracies.values()) > 0.95
    assert summary["misread"] == round((1 - summary["accuracy"]) * summary["pictures"])


def test_the_report_is_a_picture_with_ink_on_it(
    first_run: dict[str, Any], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from partita import Client

    monkeypatch.setenv("PARTITA_HOME", str(home))
    picture = Client().get_run(first_run["id"]).steps["report"].outputs["picture"].load()

    assert picture.size == (1560, 900)
    darkest, lightest = picture.convert("L").getextrema()
    assert darkest < 64
    assert lightest == 255


def test_a_second_run_is_all_cached(partita: Partita, first_run: dict[str, Any]) -> None:
    partita("run", "examples/digits/pipeline.py")
    second = described(partita)

    assert second["id"] != first_run["id"]
    assert second["status"] == "completed"
    assert second["steps"].keys() == first_run["steps"].keys()
    assert {step["status"] for step in second["steps"].values()} == {"cached"}


def test_on_processes_the_models_train_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARTITA_HOME", str(tmp_path))
    partita = command_in(tmp_path)
    partita("orchestrator", "register", "fast", "--flavor=process", "--max_parallelism=4")
    partita("stack", "register", "fast", "-o", "fast", "-a", "default")
    partita("run", "examples/digits/pipeline.py", "--stack", "fast")
    run = described(partita)

    assert (run["status"], run["orchestrator"]) == ("completed", "fast")
    check_accuracy(run)
    training = [run["steps"][f"train_{branch}"] for branch in BRANCHES]
    spans = sorted((moment(step["started_at"]), moment(step["ended_at"])) for step in training)
    assert any(began < ended for (_, ended), (began, _) in pairwise(spans))
    # Its imports start no threads, so that every step can be forked.
    assert "starts Python anew" not in partita("runs", "logs", "latest").stdout


def moment(text: str) -> datetime:
    """Reads a time, also with Python 3.10, to which `Z` means nothing."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
