"""The chain of no-op steps in ZenML, on its default local stack.

`python zenml_chain.py LENGTH FOLDER`; the folder is its home, set by whoever starts this.
"""

# The peer is installed in an environment of its own, out of sight of the type checker.
# pyright: basic, reportMissingImports=false, reportFunctionMemberAccess=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

import sys
from typing import Any

from zenml import pipeline, step


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
