"""A pipeline for the orchestrators next to it: `partita run train.py --stack tidy`."""

from __future__ import annotations

from partita import pipeline, step


@step
def load(rows: int) -> list[float]:
    """Makes some data."""
    return [row / rows for row in range(rows)]


@step
def square(value: float) -> float:
    """Works on one value; the items run at once where the orchestrator lets them."""
    return value * value


@step
def total(values: list[float]) -> float:
    """Adds everything up."""
    print(f"{len(values)} values")
    return sum(values)


@pipeline
def train(rows: int = 4) -> None:
    """Adds squares up."""
    total(square.map(load(rows)))
