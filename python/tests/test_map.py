"""A mapped step runs once for each item of a list, which is known only when the run gets there."""

from __future__ import annotations

import json
import subprocess
from typing import Annotated, Any

import pytest

from conftest import Project
from mapped import DATA, HEAD, completed, items, outputs, run
from partita import Client, PipelineError, get_step_context, pipeline, step


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
