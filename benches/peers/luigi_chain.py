"""The chain of no-op steps in Luigi: tasks that pickle what they make, run by its local scheduler.

`python luigi_chain.py LENGTH FOLDER`; a folder that holds an earlier run's files makes it a rerun.
"""

# The peer is installed in an environment of its own, out of sight of the type checker.
# pyright: basic, reportMissingImports=false, reportFunctionMemberAccess=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

import os
import pickle
import sys
from typing import Any

import luigi

FOLDER = sys.argv[2]


class Increment(luigi.Task):
    """Adds one to what the task before it made."""

    position = luigi.IntParameter()

    def requires(self) -> Any:
        """Returns the task before it."""
        return Increment(position=self.position - 1) if self.position else []

    def output(self) -> Any:
        """Returns the file that it makes."""
        return luigi.LocalTarget(
            os.path.join(FOLDER, f"{self.position}.pickle"), format=luigi.format.Nop
        )

    def run(self) -> None:
        """Reads, adds and writes."""
        number = 0
        if self.position:
            with self.input().open("r") as file:
                number = pickle.load(file)
        with self.output().open("w") as file:
            pickle.dump(number + 1, file)


sys.setrecursionlimit(10_000)
done = luigi.build(
    [Increment(position=int(sys.argv[1]) - 1)], local_scheduler=True, log_level="ERROR"
)
sys.exit(0 if done else 1)
