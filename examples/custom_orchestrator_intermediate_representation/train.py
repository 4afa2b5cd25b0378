"""A pipeline whose steps need one another: `partita run train.py --stack make`."""

from __future__ import annotations

from partita import pipeline, step


@step
def load(rows: int) -> list[int]:
    """Makes some data."""
    return list(range(rows))


@step
def total(values: list[int]) -> int:
    """Adds up; runs beside `largest`."""
    return sum(values)


@step
def largest(values: list[int]) -> int:
    """Finds the largest; runs beside `total`."""
    return max(values)


@step
def share(part: int, whole: int) -> float:
    """Runs once both are there."""
    print(f"{part} of {whole}")
    return part / whole


@pipeline
def train(rows: int = 5) -> None:
    """Says how much of the whole the largest value is."""
    values = load(rows)
    share(largest(values), total(values))
