"""What Partita is measured on: a step mapped over many items, which does as good as nothing.

`python partita_map.py COUNT` runs it on the `PARTITA_HOME` of its environment, twice, so that the
second run finds every item in the cache; it prints what it measured as JSON, times in seconds.
"""

from __future__ import annotations

import json
import sys
import time

from peak_memory import peak_memory

from partita import _engine, pipeline, running, step
from partita.caller import Caller


@step
def numbers(count: int) -> list[int]:
    """Makes the list."""
    return list(range(count))


@step
def increment(number: int) -> int:
    """Adds one."""
    return number + 1


@step
def total(values: list[int]) -> int:
    """Takes the whole list."""
    return sum(values)


@pipeline
def mapped(count: int = 10) -> None:
    """A map between the step that makes its list and the one that takes what it made."""
    total(increment.map(numbers(count)))


def run(count: int) -> float:
    """Runs it; returns the time that the engine and the steps take."""
    request = running.Request(mapped, {"count": count}, command_line={"quiet": True})
    caller = Caller(request.steps, request.source_root)
    started = time.perf_counter()
    _engine.run(request.document, request.literals, caller)
    return time.perf_counter() - started


if __name__ == "__main__":
    count = int(sys.argv[1])
    seconds = run(count)
    peak = peak_memory()
    print(json.dumps({"seconds": seconds, "cached": run(count), "peak": peak}))
