"""A process of its own for what may end it: its end is seen, and its time is kept."""

from __future__ import annotations

import os
import select
import signal

from partita import _native
from partita.entrypoints.attempt import BUG, FAILED, leave
from partita.telling import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

#: Seconds that a process may take to end once its time was over.
GRACE = 10.0


def supervised(work: Callable[[], int], timeout: float | None) -> tuple[int, bool]:
    """Does some work in a process that is forked of this one, and waits for its end.

    It is ended with this one, and gets the signals that this one is sent.

    Args:
        work: Returns the exit code.
        timeout: The seconds that it may take.

    Returns:
        The exit code, as shells have it, and whether it took longer.

    Raises:
        SystemExit: SIGTERM ended it.
        KeyboardInterrupt: Ctrl-C did.
    """
    parent = os.getpid()
    process = os.fork()
    if process == 0:
        _work(work, parent)
    asked: list[int] = []

    def hand_on(number: int, _: object) -> None:
        asked.append(number)
        # Ctrl-C on a terminal reaches it by itself.
        if number != signal.SIGINT or not _is_on_terminal():
            os.kill(process, number)

    before = {number: signal.signal(number, hand_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        code, is_late = _wait(process, timeout)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if asked and code:
        raise SystemExit(128 + signal.SIGTERM) if signal.SIGTERM in asked else KeyboardInterrupt
    return code, is_late


def _work(work: Callable[[], int], parent: int) -> NoReturn:
    """Works in the forked process, which ends with the one that forked it."""
    code = BUG
    try:
        _native.end_with_parent(True)
        if os.getppid() != parent:  # It had ended before.
            os._exit(FAILED)
        code = work()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else FAILED
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except BaseException as error:
        tell(f"partita: the process of the step could not end as it should: {error!r}")
    leave(code)


def _wait(process: int, timeout: float | None) -> tuple[int, bool]:
    """Waits for a process; returns its exit code, and whether it took longer than it may."""
    ended = os.pidfd_open(process)
    try:
        is_late = timeout is not None and not _ends_within(ended, timeout)
        if is_late:
            os.kill(process, signal.SIGTERM)
            if not _ends_within(ended, GRACE):
                os.kill(process, signal.SIGKILL)
    finally:
        os.close(ended)
    _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    return (code if code >= 0 else 128 - code), is_late


def _ends_within(ended: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _is_on_terminal() -> bool:
    """Returns whether what is typed at a terminal interrupts this process's whole group."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
