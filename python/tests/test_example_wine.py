"""The example in Rust on real data, run by itself and by the command, on two orchestrators."""

from __future__ import annotations

import json

import pytest

from conftest import Project
from partita import Client
from process_stack import partita, use_process
from rust_programs import WINE, start


@pytest.mark.parametrize("where", ["local", "process"])
@pytest.mark.parametrize("by", ["itself", "the command"])
def test_wines_are_judged_and_a_second_run_is_cached(
    project: Project, command: str, where: str, by: str
) -> None:
    if where == "process":
        use_process(command, max_parallelism=2, cpu_count=2)

    def run() -> None:
        if by == "itself":
            done = start(WINE, "run")
            assert done.returncode == 0, done
        else:
            partita(command, "run", WINE)

    run()
    steps = Client().get_run("latest").steps
    assert set(project.statuses().values()) == {"completed"}
    scores = [steps[f"evaluate_{name}"].output.load() for name in ("tree", "bayes")]
    assert [score["model"] for score in scores] == ["decision tree", "naive Bayes"]
    # One answer for all, the commonest, would be right about 43 % of them.
    assert all(0.5 < score["accuracy"] < 0.7 for score in scores)
    assert steps["choose"].output.load() == max(scores, key=lambda score: score["accuracy"])
    assert steps["clean"].metadata == {"wines": 1359}
    assert "decision tree is right about" in steps["evaluate_tree"].log
    [tree], [bayes] = (steps[f"train_{name}"].attempts for name in ("tree", "bayes"))
    if (
        where == "local"
    ):  # Processes may well be at once, and are as quick as the machine lets them.
        assert tree["ended_at"] <= bayes["started_at"] or bayes["ended_at"] <= tree["started_at"]
    image = steps["draw"].output.load()
    assert image.startswith("<svg") and image.count("<rect") > 10
    run()
    assert set(project.statuses().values()) == {"cached"}


def test_another_depth_trains_the_tree_alone(project: Project) -> None:
    assert start(WINE, "run").returncode == 0
    assert start(WINE, "run", "--param", "depth=4").returncode == 0
    statuses = project.statuses()
    ran = {name for name, status in statuses.items() if status == "completed"}
    assert ran - {"choose", "draw"} == {"train_tree", "evaluate_tree"}


def test_neither_training_depends_on_the_other(project: Project, command: str) -> None:
    compiled = json.loads(partita(command, "compile", WINE))
    upstream = {step["name"]: step.get("upstream_steps", []) for step in compiled["steps"]}

    def before(name: str) -> set[str]:
        return {name}.union(*map(before, upstream[name]))

    assert before("train_tree") == {"load", "clean", "split", "train_tree"}
    assert before("train_bayes") == {"load", "clean", "split", "train_bayes"}
