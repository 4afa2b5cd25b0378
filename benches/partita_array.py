"""What Partita is measured on: a large array that one step makes and the next one takes.

`python partita_array.py LENGTH` hands it over once, on the `PARTITA_HOME` of its environment, and
prints the time in seconds as JSON.
"""

from __future__ import annotations

import json
import sys
import time

import numpy

from partita import _engine, pipeline, running, step
from partita.caller import Caller


@step
def make(length: int) -> numpy.ndarray:
    """Returns an array of 64-bit numbers."""
    return numpy.arange(length, dtype=numpy.int64)


@step
def last(array: numpy.ndarray) -> int:
    """Returns the last element of an array."""
    return int(array[-1])


@pipeline
def hand_over(length: int) -> None:
    """One step makes an array, the next one takes it."""
    last(make(length))


def run(length: int) -> dict[str, float]:
    """Runs the pipeline; NumPy is there before, as in any script that uses it."""
    request = running.Request(hand_over, {"length": length}, command_line={"quiet": True})
    caller = Caller(request.steps, request.source_root)
    started = time.perf_counter()
    _engine.run(request.document, request.literals, caller)
    return {"seconds": time.perf_counter() - started}


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]))))
