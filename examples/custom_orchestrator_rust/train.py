"""A pipeline for the orchestrator next to it: `partita run train.py --stack sandbox`."""

from __future__ import annotations

import os

from partita import pipeline, step


@step
def look_around() -> int:
    """Counts the processes that there are, as far as a step can see."""
    count = sum(name.isdigit() for name in os.listdir("/proc"))
    print(f"{count} processes are here, and I am number {os.getpid()}")
    return count


@step
def square(value: int) -> int:
    """Works on one value, in a sandbox of its own."""
    return value * value


@step
def total(values: list[int]) -> int:
    """Adds everything up."""
    return sum(values)


@pipeline
def train(count: int = 4) -> None:
    """Looks around, and adds squares up."""
    look_around()
    total(square.map(list(range(count))))
