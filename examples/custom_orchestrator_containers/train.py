"""A pipeline whose steps run in containers: `partita run train.py --stack boxes`."""

from __future__ import annotations

import os

from partita import ResourceSettings, pipeline, step


@step
def load(rows: int) -> list[int]:
    """Makes some data."""
    return list(range(rows))


@step(settings={"resources": ResourceSettings(cpu_count=1, memory="256MiB")})
def total(values: list[int]) -> int:
    """Adds up, with resources of its own."""
    print("adding in", os.getcwd())
    return sum(values)


@step
def report(values: list[int], total: int) -> float:
    """Says what the mean is."""
    mean = total / len(values)
    print("the mean is", mean)
    return mean


@pipeline
def train(rows: int = 5) -> None:
    """Finds the mean."""
    values = load(rows)
    report(values, total(values))
