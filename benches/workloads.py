"""What Partita is measured on: no-op steps in a chain, and a large array between two steps.

Each call of this file is one process: `python workloads.py WORKLOAD SIZE` runs one workload on the
`PARTITA_HOME` of its environment and prints what it measured as JSON, times in seconds.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from partita import _native, pipeline, running, step

#: Elements of the large array: 100 MB of 64-bit numbers.
ARRAY_LENGTH = 12_500_000


@step
def increment(number: int) -> int:
    """Adds one, which is as good as nothing."""
    return number + 1


@pipeline
def chain(length: int = 10) -> None:
    """A chain of steps, each of which takes what the one before made."""
    number: Any = 0
    for _ in range(length):
        number = increment(number)


@step
def make() -> "numpy.ndarray":  # noqa: F821
    """Returns the large array."""
    import numpy

    return numpy.arange(ARRAY_LENGTH, dtype=numpy.int64)


@step
def last(array: "numpy.ndarray") -> int:  # noqa: F821
    """Returns the last element of an array."""
    return int(array[-1])


@pipeline
def hand_over() -> None:
    """One step makes the large array, the next one takes it."""
    last(make())


def run_chain(length: int) -> dict[str, float]:
    """Runs a chain; `engine` is the part of the time that the engine and the steps take."""
    started = time.perf_counter()
    request = running.Request(chain, {"length": length}, command_line={"quiet": True})
    caller = running.Caller(request.steps)
    traced = time.perf_counter()
    _native.run(request.document, caller)
    ended = time.perf_counter()
    return {"seconds": ended - started, "engine": ended - traced, "peak": peak_memory()}


def run_array(_: int) -> dict[str, float]:
    """Hands the large array over. NumPy is imported before, as in any script that uses it."""
    import numpy

    numpy.arange(1)
    request = running.Request(hand_over, {}, command_line={"quiet": True})
    caller = running.Caller(request.steps)
    started = time.perf_counter()
    _native.run(request.document, caller)
    return {"seconds": time.perf_counter() - started}


def compile_chain(length: int) -> dict[str, float]:
    """Traces a chain, then compiles it: reads the spec, validates, resolves, writes the document."""
    started = time.perf_counter()
    request = running.Request(chain, {"length": length})
    traced = time.perf_counter()
    document = _native.compile(request.document)
    ended = time.perf_counter()
    # The floor: any engine must at least read the spec and write the deployment.
    deployment = json.loads(document)
    encoding = time.perf_counter()
    json.loads(request.document)
    json.dumps(deployment, indent=2)
    return {
        "trace": traced - started,
        "seconds": ended - traced,
        "floor": time.perf_counter() - encoding,
        "megabytes": len(document) / 1e6,
    }


def peak_memory() -> float:
    """Returns the most memory that this process has had, in MB."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


WORKLOADS = {"chain": run_chain, "array": run_array, "compile": compile_chain}

if __name__ == "__main__":
    measured = WORKLOADS[sys.argv[1]](int(sys.argv[2]))
    print(json.dumps(measured))
