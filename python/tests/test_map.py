"""A mapped step runs once for each item of a list, which is known only when the run gets there."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from conftest import Finished, Project, finish
from partita import Client, PipelineError, get_step_context, pipeline, step

HEAD = """
    import os, sys
    from dataclasses import dataclass
    from pathlib import Path
    from typing import Annotated, Any
    from partita import get_step_context, pipeline, step, StepRetryConfig

    def note(text: object) -> None:
        with open("calls.txt", "a") as calls:
            calls.write(f"{text}{chr(10)}")

    @step
    def numbers(values: list[int]) -> list[int]:
        return values

    @step
    def double(x: int, by: int = 2) -> int:
        note(f"double {x}")
        return by * x

    @step
    def word(x: int) -> str:
        return str(x)

    @step
    def total(values: list) -> int:
        return sum(values)
"""


@dataclass
class Point:
    """What the pipelines' own `Point` is loaded as here."""

    x: int


def run(project: Project, body: str, **request: Any) -> Finished:
    """Runs a pipeline whose file ends with `body`."""
    project.write("main.py", HEAD + body)
    return project.run(**request)


def completed(project: Project, body: str, **request: Any) -> None:
    ended = run(project, body, **request)
    assert ended.code == 0, ended


def outputs(name: str = "double", output: str = "output") -> Any:
    return Client().get_run("latest").steps[name].outputs[output].load()


def items(name: str = "double") -> list[str]:
    """The status of each item of a step of the latest run."""
    found = Client().get_run("latest").steps[name].items
    assert found is not None
    return [item.status for item in found]


def test_a_literal_list_is_mapped_item_by_item(project: Project) -> None:
    completed(
        project,
        """
    @pipeline
    def main():
        total(double.map([1, 2, 3], by=10))
        total(double.map((4, 5)), id="other")
        """,
    )
    assert outputs() == [10, 20, 30]
    assert outputs("double_2") == [8, 10]
    assert (outputs("total"), outputs("other")) == (60, 18)
    first = Client().get_run("latest").steps["double"]
    assert first.items is not None and first.attempts == []
    assert [item.outputs["output"].load() for item in first.items] == [10, 20, 30]
    assert [len(item.attempts) for item in first.items] == [1, 1, 1]


UPSTREAM = """
    @pipeline
    def main(values: list[int] = [1, 2, 3]):
        total(double.map(double.map(numbers(values)), by=10))
"""


def test_an_upstream_list_sizes_the_map_and_a_map_is_mapped_over_again(project: Project) -> None:
    completed(project, UPSTREAM)
    assert outputs("double_2") == [20, 40, 60]
    assert outputs("total") == 120
    completed(project, UPSTREAM, parameters={"values": "[5]"})
    assert (outputs("double_2"), outputs("total")) == ([100], 100)


def test_an_empty_list_makes_an_empty_list(project: Project) -> None:
    completed(project, UPSTREAM, parameters={"values": "[]"})
    assert (outputs(), outputs("total"), items()) == ([], 0, [])
    assert project.statuses() == dict.fromkeys(
        ("numbers", "double", "double_2", "total"), "completed"
    )


def test_adding_an_item_runs_that_one_and_reordering_runs_none(project: Project) -> None:
    body = """
    @pipeline
    def main(values: list[int]):
        double.map(numbers(values))
    """
    completed(project, body, parameters={"values": "[1, 2, 3]"})
    completed(project, body, parameters={"values": "[0, 1, 2, 3]"})
    assert items() == ["completed", "cached", "cached", "cached"]
    completed(project, body, parameters={"values": "[3, 2, 1, 0]"})
    assert (items(), project.statuses()["double"]) == (["cached"] * 4, "cached")
    assert outputs() == [6, 4, 2, 0]
    assert project.lines() == [f"double {x}" for x in (1, 2, 3, 0)]


def test_an_item_and_a_call_with_the_same_value_share_their_result(project: Project) -> None:
    completed(
        project,
        """
    @pipeline
    def main():
        double.map([1, 2], after=[double(2, id="alone")])
        """,
    )
    assert items() == ["completed", "cached"]


def test_changed_code_runs_every_item_and_says_why(project: Project) -> None:
    completed(project, UPSTREAM)
    project.write("main.py", (HEAD + UPSTREAM).replace("return by * x", "return by * x + 0"))
    assert project.run().code == 0
    assert items() == ["completed"] * 3
    found = Client().get_run("latest").steps["double"].items or []
    assert {item.cache_reason for item in found} == {"source of function `main.double` changed"}


def test_several_outputs_are_several_lists(project: Project) -> None:
    completed(
        project,
        """
    @step
    def split(x: float) -> tuple[Annotated[int, "whole"], Annotated[str, "text"]]:
        return int(x), str(x)

    @step
    def show(whole: list[int], text: list[str], both: list) -> str:
        return f"{whole} {text} {both}"

    @pipeline
    def main():
        whole, text = split.map([1, 2.5])
        show(whole, text, [whole, text])
        """,
    )
    assert outputs("show") == "[1, 2] ['1.0', '2.5'] [[1, 2], ['1.0', '2.5']]"


def test_a_list_of_outputs_is_mapped_over_their_values(project: Project) -> None:
    completed(
        project,
        """
    @step
    def kind(x: Any) -> str:
        return type(x).__name__

    @pipeline
    def main():
        one = double(1, id="one")
        several = double.map([1, 2])
        kind.map([one, several, 3, [one, "a"], {"key": one}])
        double.map([one, 5], id="again")
        """,
    )
    assert outputs("kind") == ["int", "list", "int", "list", "dict"]
    assert outputs("again") == [4, 10]


DATA = """
    @dataclass
    class Point:
        x: int

    class Odd:
        def __init__(self, x):
            self.x = x

    @step
    def points() -> list[Point]:
        return [Point(1), Point(2)]

    @step
    def pickles() -> list:
        return [Odd(3), Odd(4)]

    @step
    def read(point) -> int:
        note(f"read {point.x}")
        return point.x

    @step
    def shift(point: Any) -> Any:
        return Point(point.x + 1)

    @step
    def longest(texts: list[str]) -> int:
        return max(map(len, texts))

    @step
    def text(x: int) -> str:
        return "x" * 5000 * x

    @pipeline
    def main():
        read.map(points(), id="points_read")
        read.map(pickles(), id="pickles_read")
        moved = shift.map([Point(7), Point(8)])
        read.map(moved, id="moved_read")
        longest(text.map([1, 2, 3]))
"""


def test_lists_that_are_not_json_give_each_item_its_element(project: Project) -> None:
    completed(project, DATA)
    assert outputs("points_read") == [1, 2]
    assert outputs("pickles_read") == [3, 4]
    assert outputs("moved_read") == [8, 9]
    assert outputs("longest") == 15000
    loaded = Client().get_run("latest").steps["shift"].outputs["output"]
    assert loaded.materializer == "list" and "#/outputs/output/items" in loaded.uri
    completed(project, DATA)
    assert set(project.statuses().values()) == {"cached"}


def test_an_array_gives_its_rows(project: Project) -> None:
    pytest.importorskip("numpy")
    completed(
        project,
        """
    import numpy as np

    @step
    def rows() -> np.ndarray:
        return np.arange(6).reshape(3, 2)

    @step
    def row(x: np.ndarray) -> int:
        return int(x.sum())

    @pipeline
    def main():
        row.map(rows())
        """,
    )
    assert outputs("row") == [1, 5, 9]


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


def test_outside_a_pipeline_the_function_is_called_for_each_item() -> None:
    @step
    def add(x: int, y: int = 1) -> int:
        return x + y

    @step
    def both(x: int, /, y: int) -> tuple[Annotated[int, "a"], Annotated[int, "b"]]:
        return x, y

    assert add.map([1, 2]) == [2, 3]
    assert add.map((1, 2), x=5) == [6, 7]
    assert both.map([1, 2], y=3) == ([1, 2], [3, 3])
    assert both.map([], y=3) == ([], [])


def refused(body: str, project: Project) -> str:
    ended = run(project, body)
    assert ended.code == 1 and Client().list_runs() == [], ended
    return ended.refusal


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ('double.map("abc")', "over a value of type `str`, and it takes a list, a tuple, or an"),
        ("double.map({1: 2})", "type `dict`, and it takes a list, a tuple, or an output that will"),
        ("double.map(x for x in [1])", "will be a list; write `list(…)` around it."),
        ("double.map(3)", "an output that will be a list; put it in a list."),
        ("double.map([1], x=1, by=2)", "takes `x, by`, so that none is left to map over"),
        ("double.map([1], bye=2)", "has no input `bye`"),
        ('double.map([1, "a"])', 'takes int, not str (`"a"`, item 1 of what it is mapped over)'),
        (
            "double.map(double(1))",
            "mapped over output `output` of step `double`, which is declared",
        ),
        ("double(double.map([1]))", "takes int, not list (output `output` of step `double`)"),
        ("double.map(word.map([1]))", "takes int, not str (output `output` of step `word`)"),
    ],
)
def test_mistakes_are_told_with_the_author_s_line(
    project: Project, call: str, message: str
) -> None:
    told = refused(f"\n    @pipeline\n    def main():\n        {call}\n", project)
    assert message in told
    line = (project.folder / "main.py").read_text().splitlines().index(f"    {call}") + 1
    assert f"main.py:{line}" in told


def test_a_value_that_turns_out_to_be_no_list_fails_the_step(project: Project) -> None:
    ended = run(
        project,
        """
    @step
    def anything() -> Any:
        return {"a": 1}

    @pipeline
    def main():
        double.map(anything())
        """,
    )
    assert ended.code == 1
    assert "is mapped over its input `x`, which is of type `dict` and no list" in ended.err
    assert project.statuses() == {"anything": "completed", "double": "failed"}


def test_a_plan_counts_the_items_that_it_can_know(project: Project, command: str) -> None:
    body = """
    @pipeline
    def main(values: list[int] = [1, 2]):
        made = double.map(numbers(values))
        double.map([7, 8], by=made)
        double.map([1, 2, 3], id="literal")
    """.replace("by=made", "by=total(made)")
    project.write("main.py", HEAD + body)

    def planned() -> dict[str, Any]:
        words = [command, "plan", "main.py", "--output", "json"]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        return {row["step"]: (row["verdict"], row.get("items")) for row in json.loads(done.stdout)}

    assert planned() == {
        "numbers": ("run", None),
        "double": ("depends", None),
        "total": ("depends", None),
        "double_2": ("depends", {"count": 2}),
        "literal": ("run", {"count": 3, "cached": 0}),
    }
    assert project.run().code == 0
    assert planned()["double_2"] == ("cached", {"count": 2, "cached": 2})
    project.write("main.py", HEAD + body.replace("[1, 2, 3]", "[1, 2, 3, 4]"))
    assert planned()["literal"] == ("run", {"count": 4, "cached": 3})


def test_mapping_needs_a_list_also_outside_a_pipeline() -> None:
    @step
    def same(x: int) -> int:
        return x if get_step_context is not None else 0

    with pytest.raises(PipelineError, match=r"test_map.py:\d+: step `same` is mapped over"):
        same.map("abc")

    @pipeline
    def unused() -> None:
        same.map([1])

    assert callable(unused)


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
