"""What Partita is measured on: a chain of steps that do as good as nothing.

`python partita_chain.py run LENGTH` runs one and `… compile LENGTH` compiles one, on the
`PARTITA_HOME` of its environment; both print what they measured as JSON, times in seconds.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from peak_memory import peak_memory

from partita import _engine, pipeline, running, step
from partita.caller import Caller


@step
def increment(number: int) -> int:
    """Adds one."""
    return number + 1


@pipeline
def chain(length: int = 10) -> None:
    """Steps each of which takes what the one before made."""
    number: Any = 0
    for _ in range(length):
        number = increment(number)


def run(length: int) -> dict[str, float]:
    """Runs a chain; `engine` is the part of the time that the engine and the steps take."""
    started = time.perf_counter()
    request = running.Request(chain, {"length": length}, command_line={"quiet": True})
    caller = Caller(request.steps, request.source_root)
    traced = time.perf_counter()
    _engine.run(request.document, request.literals, caller)
    ended = time.perf_counter()
    return {"seconds": ended - started, "engine": ended - traced, "peak": peak_memory()}


def compile_only(length: int) -> dict[str, float]:
    """Traces a chain, then compiles it: reads the spec, validates it, writes the deployment."""
    started = time.perf_counter()
    request = running.Request(chain, {"length": length})
    traced = time.perf_counter()
    document = _engine.compile_pipeline(request.document)
    compiled = time.perf_counter()
    # The floor: whoever compiles must at least read the spec and write the deployment.
    deployment = json.loads(document)
    read = time.perf_counter()
    json.loads(request.document)
    json.dumps(deployment, indent=2)
    floor = time.perf_counter() - read
    return {"seconds": compiled - traced, "trace": traced - started, "floor": floor}


if __name__ == "__main__":
    verbs = {"run": run, "compile": compile_only}
    print(json.dumps(verbs[sys.argv[1]](int(sys.argv[2]))))
