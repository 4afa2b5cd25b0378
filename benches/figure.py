"""A measured figure beside its budget and its floor, and the row of the summary it becomes."""

from __future__ import annotations

from typing import NamedTuple

from measuring import Sample, brief

HEADINGS = ("what", "measured", "floor", "budget", "is")


class Figure(NamedTuple):
    """One measured figure; less is better.

    Attributes:
        what: What was measured, with its unit.
        measured: What each round took.
        budget: The largest value that is within the budget.
        floor: What the least possible work took in the same run.
    """

    what: str
    measured: Sample
    budget: float | None = None
    floor: Sample | None = None

    def __str__(self) -> str:
        """Returns the line that is printed once it is measured, with the floor's own range."""
        beside = "" if self.floor is None else f"; floor {self.floor}"
        return f"{self.what}: {self.measured}{beside}"

    def verdict(self) -> str:
        """Returns whether the budget is met."""
        if self.budget is None:
            return ""
        return "met" if self.measured.median <= self.budget else "over"

    def row(self) -> tuple[str, ...]:
        """Returns the cells of the summary."""
        least = "" if self.floor is None else brief(self.floor.median)
        budget = "" if self.budget is None else brief(self.budget)
        return (self.what, str(self.measured), least, budget, self.verdict())
