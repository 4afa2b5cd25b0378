"""The chain of no-op steps in Partita, as an author's script would run it.

`python partita_chain.py LENGTH`, on the `PARTITA_HOME` of its environment.
"""

from __future__ import annotations

import sys
from typing import Any

from partita import pipeline, step


@step
def increment(number: int) -> int:
    """Adds one."""
    return number + 1


@pipeline
def chain(length: int) -> None:
    """Steps each of which takes what the one before made."""
    number: Any = 0
    for _ in range(length):
        number = increment(number)


if __name__ == "__main__":
    chain(int(sys.argv[1]))
