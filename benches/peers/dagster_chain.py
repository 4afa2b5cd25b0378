"""The chain of no-op steps in Dagster: ops in one process, with a persistent instance.

`python dagster_chain.py LENGTH FOLDER`.
"""

# The peer is installed in an environment of its own, out of sight of the type checker.
# pyright: basic, reportMissingImports=false, reportFunctionMemberAccess=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

import os
import sys
from typing import Any

import dagster

FOLDER = sys.argv[2]


@dagster.op
def start() -> int:
    """Makes the first number."""
    return 1


@dagster.op
def increment(number: int) -> int:
    """Adds one."""
    return number + 1


# Left alone, `execute_in_process` would keep what steps make in memory only, and log every event.
@dagster.job(
    executor_def=dagster.in_process_executor,
    resource_defs={
        "io_manager": dagster.FilesystemIOManager(base_dir=os.path.join(FOLDER, "artifacts"))
    },
    config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
)
def chain() -> None:
    """Steps each of which takes what the one before made."""
    number: Any = start()
    for position in range(int(sys.argv[1]) - 1):
        number = increment.alias(f"increment_{position}")(number)


with dagster.DagsterInstance.local_temp(
    FOLDER, overrides={"telemetry": {"enabled": False}}
) as instance:
    done = chain.execute_in_process(instance=instance)
sys.exit(0 if done.success else 1)
