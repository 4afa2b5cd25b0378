"""What Partita is measured on where steps have processes of their own, on a stack that does so.

`python partita_process.py PIPELINE SIZE` runs one on the `PARTITA_HOME` of its environment and
prints how long that took as JSON, times in seconds.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from process_steps import bar, increment, sleep, stop

from partita import Client, _engine, pipeline, running
from partita.caller import Caller


@pipeline
def drawn(size: int = 1000) -> None:
    """One step with a progress bar."""
    bar(size)


@pipeline
def chain(size: int = 10) -> None:
    """Steps each of which takes what the one before made."""
    number: Any = 0
    for _ in range(size):
        number = increment(number)


@pipeline
def fan_out(size: int = 10) -> None:
    """Steps that need nothing of each other."""
    for number in range(size):
        increment(number)


@pipeline
def sleepers(size: int = 8) -> None:
    """Steps that sleep, and need nothing of each other."""
    for number in range(size):
        sleep(number)


@pipeline
def waiting(size: int = 1000) -> None:
    """Many steps that wait for one."""
    number = stop()
    for _ in range(size):
        increment(number)


@pipeline
def stopped(size: int = 100) -> None:
    """One step that waits after many."""
    stop(after=[increment(number) for number in range(size)])


PIPELINES = {found.name: found for found in (chain, fan_out, sleepers, drawn, waiting, stopped)}


def run(name: str, size: int) -> dict[str, float]:
    """Runs a pipeline, from its trace to its end."""
    started = time.perf_counter()
    request = running.Request(PIPELINES[name], {"size": size}, command_line={"quiet": True})
    caller = Caller(request.steps, request.source_root)
    _engine.run(request.document, request.literals, caller)
    taken = {"seconds": time.perf_counter() - started}
    if name == drawn.name:
        taken["drawing"] = Client().get_run("latest").steps["bar"].output.load()
    return taken


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], int(sys.argv[2]))))
