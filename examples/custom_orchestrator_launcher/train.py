"""A pipeline for the orchestrator next to it: `partita run train.py --stack remote`."""

from __future__ import annotations

from partita import pipeline, step


@step
def square(value: int) -> int:
    """Works on one value; the items run at once where the orchestrator lets them."""
    return value * value


@step
def total(values: list[int]) -> int:
    """Adds everything up."""
    print(f"{len(values)} values")
    return sum(values)


@pipeline
def train(count: int = 4) -> None:
    """Adds squares up."""
    total(square.map(list(range(count))))
