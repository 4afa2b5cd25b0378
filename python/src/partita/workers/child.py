"""What a process does that the zygote has forked: it is one of its own, and makes an attempt."""

from __future__ import annotations

import os
import sys

from partita import _native
from partita.entrypoints.attempt import BUG, FAILED, Attempt, Terms, settle
from partita.errors import PartitaError
from partita.telling import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

INTERRUPTED = 130


def run(
    attempt: Attempt,
    terms: Terms,
    streams: tuple[_native.Descriptor, _native.Descriptor, _native.Descriptor],
    done: _native.Done,
    token: str,
) -> NoReturn:
    """Makes an attempt and ends this process.

    Args:
        attempt: What the zygote has put together.
        terms: What the orchestrator says of it.
        streams: Standard input, output and error.
        done: Where it says that it is done.
        token: What it says.
    """
    code, process = BUG, os.getpid()
    try:
        _native.separate(*streams)  # Whatever it starts ends with it.
        code = _make(attempt, terms)
    except BaseException as error:
        tell(f"partita: the process of the step could not end as it should: {error!r}")
    try:
        code = settle(code)
        if code == 0 and os.getpid() == process:  # And no fork of it that the step has let return.
            done.tell(token)
    finally:
        os._exit(code)


def _make(attempt: Attempt, terms: Terms) -> int:
    try:
        terms.apply()
        _seed_anew()
        _, failure = attempt.make()
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
    modules = sys.modules
    if "numpy.random" in modules:
        modules["numpy.random"].seed()
    if "torch" in modules:
        modules["torch"].seed()
