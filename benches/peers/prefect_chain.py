"""A chain of tasks in Prefect, on the temporary server that a script gets by itself."""
# pyright: reportMissingImports=false, reportUntypedBaseClass=false

from __future__ import annotations

import sys

from prefect import flow, task


@task(persist_result=True)
def increment(number: int) -> int:
    """Adds one."""
    return number + 1


@flow
def chain(length: int) -> int:
    """Tasks each of which takes what the one before made."""
    number = 0
    for _ in range(length):
        number = increment(number)
    return number


if __name__ == "__main__":
    chain(int(sys.argv[1]))
