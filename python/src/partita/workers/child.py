"""What a process does that the zygote has forked: it becomes one of its own, and runs one step."""

from __future__ import annotations

import os
import sys

from partita import _native
from partita.entrypoints.attempt import BUG, FAILED, Terms, attempt, settle
from partita.errors import PartitaError
from partita.telling import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

INTERRUPTED = 130


def run(
    entry: _native.StepEntry,
    request: dict[str, Any],
    zygote: int,
    streams: list[int],
    done: _native.Done,
) -> NoReturn:
    """Runs the attempt that was asked for and ends this process.

    Args:
        entry: The step.
        request: The attempt.
        zygote: The process that forked this one.
        streams: The descriptors of standard input, output and error.
        done: Where it says that it is done.
    """
    code, process = BUG, os.getpid()
    try:
        os.setsid()  # Whatever it starts ends with it.
        _native.adopt_orphans()
        for target, descriptor in enumerate(streams):
            os.dup2(descriptor, target)
        for descriptor in streams:
            os.close(descriptor)
        code = _attempt(entry, request, Terms(request["terms"], parent=zygote))
    except BaseException as error:
        tell(f"partita: the process of the step could not end as it should: {error!r}")
    try:
        code = settle(code)
        if code == 0 and os.getpid() == process:  # And no fork of it that the step has let return.
            done.tell(request["token"])
    finally:
        os._exit(code)


def _attempt(entry: _native.StepEntry, request: dict[str, Any], terms: Terms) -> int:
    try:
        terms.apply()
        _seed_anew()
        _, failure = attempt(entry, request["number"], terms)
    except PartitaError as error:
        tell(f"error: {error}")
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else FAILED
    return 0 if failure is None else FAILED


def _seed_anew() -> None:
    """Gives this process random numbers of its own; Python's own module does so by itself."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.seed()
