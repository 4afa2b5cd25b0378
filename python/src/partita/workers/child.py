"""What a process does that the zygote has forked: it becomes one of its own, and runs one step."""

from __future__ import annotations

import contextlib
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

#: The last of the standard descriptors.
STDERR = 2


#: Pages, 64 MB of the usual ones, that a process may have for itself and be told of as done.
MOST_PAGES = 1 << 14


class Done:
    """Where a process says that it has nothing left to do but to end."""

    def __init__(self, pipe: int) -> None:
        """Takes the descriptor of a pipe, which programs that steps start do not have."""
        os.set_inheritable(pipe, False)
        self._pipe = pipe
        self._status = os.fstat(pipe)
        self._pages = _own_pages()

    def tell(self, job: int) -> None:
        """Tells that an attempt is done, if this process holds nothing that others may wait for.

        It closes its files first. It says nothing where programs are left that the step has
        started, where it has much memory, or where the step has put something else in this place.
        """
        try:
            if _has_children() or _own_pages() > self._pages + MOST_PAGES:
                return
            for descriptor in map(int, os.listdir("/proc/self/fd")):
                if descriptor > STDERR and descriptor != self._pipe:
                    _close(descriptor)
            if os.path.samestat(os.fstat(self._pipe), self._status):
                os.write(self._pipe, job.to_bytes(8, "little"))
        except OSError:
            return  # Whoever waits for its end sees that, too.


def _own_pages() -> int:
    """Returns how many pages this process does not share with files."""
    with open("/proc/self/statm", "rb") as sizes:
        _, resident, shared, *_ = map(int, sizes.read().split())
    return resident - shared


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):  # The one that lists them is closed by now.
        os.close(descriptor)


def run(
    entry: _native.StepEntry,
    request: dict[str, Any],
    zygote: int,
    streams: list[int],
    done: Done,
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
            done.tell(request["job"])
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


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _seed_anew() -> None:
    """Gives this process random numbers of its own; Python's own module does so by itself."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.seed()
