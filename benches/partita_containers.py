"""What Partita is measured on where steps run in containers, on a stack that does so.

`python partita_containers.py SIZE` runs a chain of so many steps on the `PARTITA_HOME` of its
environment and prints how long that took as JSON, in seconds.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from container_steps import increment

from partita import _engine, pipeline, running
from partita.caller import Caller


@pipeline
def chain(size: int = 10) -> None:
    """Steps each of which takes what the one before made."""
    number: Any = 0
    for _ in range(size):
        number = increment(number)


def run(size: int) -> dict[str, float]:
    """Runs the chain, from its trace to its end."""
    started = time.perf_counter()
    request = running.Request(chain, {"size": size}, command_line={"quiet": True})
    caller = Caller(request.steps, request.source_root)
    _engine.run(request.document, request.literals, caller)
    return {"seconds": time.perf_counter() - started}


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]))))
