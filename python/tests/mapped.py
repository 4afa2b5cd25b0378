"""The steps that tests map, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from conftest import Finished, Project
from partita import Client

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
