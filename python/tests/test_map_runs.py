"""Items fail, are retried, resumed, collected and shown on their own, however many there are."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from conftest import Finished, Project, finish
from mapped import DATA, HEAD, Point, completed, items, outputs, run
from partita import Client
from process_stack import use_process

FAILING = """
    @step
    def risky(x: int) -> int:
        note(f"risky {x}")
        if x == 2 and not Path("mended").exists():
            raise ValueError(f"no {x}")
        return x

    @pipeline
    def main():
        total(risky.map([1, 2, 3]))
"""


@pytest.mark.parametrize(
    ("mode", "expected", "ran"),
    [
        ("fail_fast", ["completed", "failed", "skipped"], 2),
        ("stop_on_failure", ["completed", "failed", "skipped"], 2),
        ("continue_on_failure", ["completed", "failed", "completed"], 3),
    ],
)
def test_a_failed_item_fails_its_step_as_the_failure_mode_says(
    project: Project, mode: str, expected: list[str], ran: int
) -> None:
    project.write("run.yaml", f"failure_mode: {mode}\n")
    ended = run(project, FAILING, config="run.yaml")
    assert ended.code == 1 and "ValueError: no 2" in ended.err, ended
    assert project.statuses() == {"risky": "failed", "total": "skipped"}
    assert (items("risky"), len(project.lines())) == (expected, ran)
    (attempt,) = Client().get_run("latest").steps["risky"].attempts
    assert attempt["error"] == "item 1 failed: ValueError: no 2"
    project.write("mended", "")
    (before,) = Client().list_runs()
    assert project.resume(before.id).code == 0
    assert [one.id for one in Client().list_runs()] == [before.id]
    assert items("risky") == ["completed"] * 3
    assert project.lines().count("risky 1") == 1
    assert outputs("total") == 6


def test_each_item_is_retried_on_its_own(project: Project) -> None:
    completed(
        project,
        """
    @step(retry=StepRetryConfig(max_retries=2, delay=0))
    def flaky(x: int) -> int:
        context = get_step_context()
        note(f"{context.item} {context.attempt}")
        if context.attempt <= x:
            raise ValueError("not yet")
        return x

    @pipeline
    def main():
        flaky.map([0, 2, 1])
        """,
    )
    found = Client().get_run("latest").steps["flaky"].items or []
    assert [len(item.attempts) for item in found] == [1, 3, 2]
    assert sorted(project.lines()) == ["0 1", "1 1", "1 2", "1 3", "2 1", "2 2"]


def test_a_killed_run_is_resumed_with_its_unfinished_items(project: Project) -> None:
    body = """
    @step(enable_cache=False)
    def slow(x: int) -> int:
        note(x)
        if x == 3 and not Path("mended").exists():
            os.kill(os.getpid(), 9)
        return x

    @pipeline
    def main():
        total(slow.map(numbers([0, 1, 2, 3, 4, 5])))
    """
    ended = run(project, body)
    assert ended.code == -9
    (killed,) = Client().list_runs()
    assert killed.status == "interrupted"
    assert items("slow") == ["completed"] * 3 + ["waiting"] * 3
    project.write("mended", "")
    assert project.resume(killed.id).code == 0
    assert project.lines() == ["0", "1", "2", "3", "3", "4", "5"]
    found = Client().get_run("latest").steps["slow"].items or []
    assert [item.attempts[-1]["number"] for item in found] == [1, 1, 1, 2, 1, 1]
    assert outputs("total") == 15


@pytest.mark.parametrize("where", ["local", "process"])
def test_of_many_items_those_that_are_not_finished_are_resumed(
    project: Project, command: str, where: str
) -> None:
    if where == "process":
        use_process(command, max_parallelism=2)
    body = FAILING.replace("[1, 2, 3]", "list(range(-98, 102))")
    assert run(project, body).code == 1
    statuses = dict(zip(range(-98, 102), items("risky"), strict=True))
    unfinished = [x for x, status in statuses.items() if status != "completed"]
    assert statuses[2] == "failed" and len(unfinished) <= 101
    (failed,) = Client().list_runs()
    (project.folder / "calls.txt").unlink()
    project.write("mended", "")
    assert project.resume(failed.id).code == 0
    assert sorted(project.lines()) == sorted(f"risky {x}" for x in unfinished)
    assert [one.id for one in Client().list_runs()] == [failed.id]
    assert items("risky") == ["completed"] * 200
    assert outputs("total") == sum(range(-98, 102))


def test_a_resumed_run_with_other_items_takes_over_what_still_fits(project: Project) -> None:
    body = FAILING.replace("@step\n    def risky", "@step(enable_cache=False)\n    def risky")
    assert run(project, body).code == 1
    project.write("mended", "")
    (failed,) = Client().list_runs()
    project.write("main.py", HEAD + body.replace("[1, 2, 3]", "[1, 2, 4]"))
    assert project.resume(failed.id).code == 0
    assert items("risky") == ["cached", "completed", "completed"]


def test_an_index_made_again_shows_the_items(project: Project, command: str) -> None:
    project.write("run.yaml", "failure_mode: continue_on_failure\n")
    assert run(project, FAILING, config="run.yaml").code == 1

    def described() -> Any:
        words = [command, "runs", "describe", "--output", "json"]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    before = described()
    assert [item["status"] for item in before["steps"]["risky"]["items"]] == [
        "completed",
        "failed",
        "completed",
    ]
    assert "items" not in before["steps"]["total"]
    for file in project.home.glob("*.db*"):
        file.unlink()
    subprocess.run([command, "store", "rebuild"], check=True, capture_output=True)
    assert described() == before


def test_what_a_map_made_is_not_collected_and_has_a_lineage(project: Project, command: str) -> None:
    completed(project, DATA)
    subprocess.run([command, "store", "gc"], check=True, capture_output=True)
    made = Client().get_run("latest").steps["shift"]
    assert made.outputs["output"].load(as_type=Point) == [Point(8), Point(9)]
    item = (made.items or [])[1].outputs["output"]
    assert item.load(as_type=Point) == Point(9)
    words = [command, "artifacts", "lineage", item.id, "--output", "json"]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    lineage = json.loads(done.stdout)
    assert [(one["step"], one["item"]) for one in lineage["upstream"]] == [("shift", 1)]
    first = lineage["downstream"][0]
    assert (first["step"], first["item"]) == ("moved_read", 1)


def test_logs_are_kept_by_item(project: Project, command: str) -> None:
    completed(
        project,
        """
    @step
    def say(x: str) -> None:
        print("hello", x)

    @pipeline
    def main():
        say.map(["a", "b"])
        """,
    )

    def logs(*words: str) -> str:
        arguments = [command, "runs", "logs", "--step", "say", *words]
        return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout

    assert logs() == "say[0]: hello a\nsay[1]: hello b\n"
    assert logs("--item", "1") == "hello b\n"
    found = Client().get_run("latest").steps["say"]
    assert found.log == "hello a\nhello b\n" and (found.items or [])[0].log == "hello a\n"


def test_ten_thousand_items_complete_and_are_summed_up_in_a_few_lines(project: Project) -> None:
    body = """
    @step
    def same(x: int) -> int:
        return x

    @pipeline
    def main():
        total(same.map(numbers(list(range(10_000)))))
    """
    ended = run(project, body)
    assert ended.code == 0, ended
    assert outputs("total") == sum(range(10_000))
    assert len(ended.err.splitlines()) < 30
    assert "same: 5,000/10,000 items done" in ended.err
    found = Client().get_run("latest").steps["same"].items
    assert found is not None and len(found) == 10_000


def test_an_item_runs_through_its_entrypoint(project: Project) -> None:
    body = """
    @pipeline
    def main():
        double.map(numbers([4, 5]))
    """
    completed(project, body)
    run_id = Client().get_run("latest").id
    folder = next((project.store / "runs" / run_id / "steps").glob("*.items"))
    commit = json.loads((folder / "1.commit.json").read_text())
    assert (commit["item"], commit["attempt"]) == (1, 1)
    for left in (folder / "1.commit.json", next(folder.parent.glob("*-double.commit.json"))):
        left.unlink()
    header = json.loads((project.store / "runs" / run_id / "run.json").read_text())

    def entrypoint(*more: str) -> Finished:
        return project.python(
            *("-m", "partita.entrypoints.entrypoint"),
            "--entrypoint_config_source=partita.entrypoints.StepEntrypointConfiguration",
            f"--artifact_store={project.store.as_uri()}",
            f"--deployment_id={header['deployment_id']}",
            f"--run_id={run_id}",
            "--step_name=double",
            *more,
        )

    assert "give the item to run, as in `--item 0`" in entrypoint("--attempt=2").refusal
    assert "there are 2" in entrypoint("--attempt=2", "--item=2").refusal
    assert entrypoint("--attempt=2", "--item=x").code == 2
    ended = entrypoint("--attempt=2", "--item=1")
    assert ended.code == 0, ended
    assert json.loads((folder / "1.commit.json").read_text())["attempt"] == 2
    # Where no engine does it, the last item commits its step.
    assert entrypoint("--attempt=auto", "--item=0").code == 0
    assert (folder.parent / f"{folder.name.removesuffix('.items')}.commit.json").exists()


def test_ctrl_c_cancels_the_items_that_have_not_begun(project: Project) -> None:
    project.write(
        "main.py",
        HEAD
        + """
    @step(enable_cache=False)
    def wait(x: int) -> int:
        if x == 1:
            os.kill(os.getpid(), 2)
            import time
            time.sleep(60)
        return x

    @pipeline
    def main():
        wait.map([0, 1, 2])
    """,
    )
    ended = finish(project.begin("-m", "partita", "run", json.dumps({"target": "main.py"})))
    assert ended.code != 0
    assert project.statuses() == {"wait": "cancelled"}
    assert items("wait") == ["completed", "cancelled", "cancelled"]


HALF = """
    from partita import pipeline, step

    @step
    def halve(number: int) -> int:
        if number == 3:
            raise ValueError("odd")
        return number // 2

    @pipeline(failure_mode="continue_on_failure")
    def main():
        halve.map([2, 3, 4])
"""


def test_a_plan_of_a_map_that_is_half_done_names_the_run_that_did_it(project: Project) -> None:
    project.write("main.py", HALF)
    assert project.run().code == 1
    planned = project.verb("plan", target="main.py")
    run = Client().get_run("latest")
    assert planned.code == 0 and "3 items, 2 cached" in planned.out, planned
    assert run.name in planned.out and run.id not in planned.out, planned
